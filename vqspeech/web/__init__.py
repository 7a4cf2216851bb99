"""The page of ``vqspeech serve``: conversion, units, samples and new voices in a browser.

A Starlette application with a static page of its own. Three kinds of process share the work, so that neither bad input
nor a busy model stops the page: the server, which only moves bytes; a short-lived process per upload, which decodes it
under limits; and workers, each with the model loaded, which take jobs one at a time.
"""
