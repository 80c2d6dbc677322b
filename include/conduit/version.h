/* conduit: version of the headers and of the library at run time, and the export macro.
 *
 * CONVENTIONS for every header of conduit
 *
 * Errors     Functions that can fail return 0 (or a positive count) on success and a negative
 *            errno, or a negative CDT_E... code of <conduit/error.h>, on failure. Wrong arguments
 *            give -EINVAL and change nothing.
 * Units      Times and durations are uint64_t nanoseconds (CDT_MS, CDT_SECOND help), sizes are
 *            bytes.
 * Threads    A reactor and everything made with it belong to the thread that runs it. The only
 *            call that another thread may make is cdt_reactor_post().
 * Fork       In a forked child every call that would do something with the parent's objects gives
 *            -EINVAL, and nothing disturbs the parent. A child that was forked inside a callback
 *            must exec or _exit: it must not return from the callback.
 * Callbacks  Callbacks come from inside cdt_reactor_run(), cdt_reactor_step() and
 *            cdt_reactor_free() only, never from inside another call of yours; but hooks before
 *            the wait also from cdt_reactor_prepare(), and the log hook from any call. Inside a
 *            callback every function may be called, except run, step, prepare and free, which give
 *            -EBUSY.
 * Structs    Structs that you fill and hand over begin with their `size`: set it to sizeof, zero
 *            the rest, and a program built against an older header keeps working. Unless said
 *            otherwise they are copied; a zero field means its default.
 * Lent       Memory "lent for the call" is valid until the callback returns and never later. */
#ifndef CONDUIT_VERSION_H
#define CONDUIT_VERSION_H

#define CDT_VERSION_MAJOR 0
#define CDT_VERSION_MINOR 1
#define CDT_VERSION_PATCH 0

#define CDT_API __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the library that is running, "0.1.0". Static storage. Any thread. */
CDT_API const char *cdt_version(void);

#ifdef __cplusplus
}
#endif
#endif
