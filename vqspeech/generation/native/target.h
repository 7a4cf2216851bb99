// Words to the compiler: what to inline, what is used, and which processor features a file may use.
#pragma once

#define INLINE inline __attribute__((always_inline))
#define INLINE_LAMBDA __attribute__((always_inline))
#define NOINLINE __attribute__((noinline))

// Make the compiler believe that a vector is used and changed here.
#if defined(__x86_64__)
#define KEEP(vector) asm volatile("" : "+v"(vector))
#elif defined(__aarch64__)
#define KEEP(vector) asm volatile("" : "+w"(vector))
#else
#define KEEP(vector) asm volatile("" : "+m"(vector))
#endif

// Switch processor features on for all functions between BEGIN_TARGET("...") and END_TARGET, which ends the file: GCC
// compiles the templates that a file uses at its end, so there the features must still be on.
#define PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define BEGIN_TARGET(features) PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define END_TARGET _Pragma("clang attribute pop")
#else
#define BEGIN_TARGET(features) PRAGMA(GCC target(features))
#define END_TARGET
#endif
