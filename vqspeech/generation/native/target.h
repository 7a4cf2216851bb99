// Switch processor features on for all functions between BEGIN_TARGET("...") and END_TARGET, which ends the file: GCC
// compiles the templates that a file uses at its end, so there the features must still be on.
#pragma once

#define PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define BEGIN_TARGET(features) PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define END_TARGET _Pragma("clang attribute pop")
#else
#define BEGIN_TARGET(features) PRAGMA(GCC target(features))
#define END_TARGET
#endif
