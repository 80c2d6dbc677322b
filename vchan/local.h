/* The backend without Xen, from inside: what its files and those of the store of files call of each
 * other. */
#ifndef VCHAN_LOCAL_H
#define VCHAN_LOCAL_H

#include "vchan/internal.h"

/* ---- the directory: local_place.c ------------------------------------------------------------ */

/* What is in the folder of a node besides the nodes below it. No part of a path begins with a
 * dot. */
#define FILES_VALUE    ".value"
#define FILES_SOCKET   ".socket"
#define FILES_UNDERWAY ".new" /* what is not yet what it will be begins with this */

/* Where the nodes are, and with which mode what is missing is made. */
struct files_root {
    const char *directory;
    mode_t mode;
};

/* Makes the directory if it is missing, and looks whether it can be trusted: ours or root's, and
 * nobody else writes there unless the mode says so. 0; -EPERM: it cannot; others. */
int files_prepare(const struct files_root *root);
/* The folder of a node ("": the directory), no symbolic link followed below the directory: a
 * descriptor, opened with `access` (O_PATH, O_RDONLY); -ENOENT; -EINVAL: not such a path; others.
 * `make`: what is missing is made. */
int files_open(const struct files_root *root, const char *path, int access, bool make);
/* Whether a descriptor is still that of the folder of a node: it may have been removed
 * meanwhile. */
bool files_is_folder(const struct files_root *root, const char *path, int folder);
/* Removes the folders of a node, and above it, that are empty. */
void files_prune(const struct files_root *root, const char *path);
/* The address of a socket in the folder of a node: its path, or if that is too long one by way of
 * `folder`, which may be -1 where the path is known to be short: -ENAMETOOLONG. */
int files_address(const struct files_root *root, const char *path, int folder, const char *name,
                  struct cdt_addr *addr);

/* ---- the memory: local_memory.c -------------------------------------------------------------- */

struct local_memory {
    void *at;
    size_t size;
    struct vchan_layout layout;
};

/* Makes memory for two rings, all pages there, sealed: its descriptor, or a negative errno. */
int local_memory_make(struct local_memory *memory, unsigned left_order, unsigned right_order);
/* Maps what a server has given, if it is just that. Errors with a sentence: -EPROTO, others. */
int local_memory_take(struct local_memory *memory, int fd, unsigned left_order,
                      unsigned right_order, const char **why);
void local_memory_free(struct local_memory *memory);

/* ---- one vchan: local.c ---------------------------------------------------------------------- */

/* What a server says to a client, with the descriptor of the memory if it is granted. */
struct local_hello {
    char magic[8];
    uint16_t version, answer, left_order, right_order;
};

#define LOCAL_MAGIC "cdtvchan"
enum { LOCAL_VERSION = 1, LOCAL_GRANTED = 1, LOCAL_REFUSED = 2 };

struct local_side {
    struct cdt_reactor *reactor;
    const struct vchan_settings *settings;
    unsigned domid; /* of the peer */
    const char *port;
    bool server;
};

/* Makes a vchan of a connected socket and of memory; both are its own if it gives 0. -ENOMEM;
 * -EPROTO: the page cannot be used. */
int local_vchan_new(const struct local_side *side, int fd, const struct local_memory *memory,
                    struct vchan **vchan);
/* Whether the peer of a socket is one that we talk to: ourselves, root, or whom the mode lets
 * in. */
bool local_trusts(const struct vchan_settings *settings, int fd);
/* Closes a descriptor that no flow has had. */
void local_close_fd(struct cdt_reactor *reactor, int *fd);

/* The two roles, for the table: local_attach.c, local_listen.c. */
int local_attach(struct vchan_attempt *attempt);
void local_cancel(struct vchan_attempt *attempt);
int local_open(struct vchan_port *port);
void local_arm(struct vchan_port *port, bool on);
int local_accept(struct vchan_port *port, struct vchan **vchan);
void local_close(struct vchan_port *port);

/* ---- the store of files: store_files.c, store_inotify.c -------------------------------------- */

int files_store(struct vchan_store **store);
int files_store_open(struct vchan_store *store);

enum { FILES_BUCKETS = 64 };

struct files_store {
    struct vchan_store store; /* first */
    unsigned serial;          /* of names of files that are under way */
    int inotify;              /* -1: none yet */
    struct cdt_watch events;
    struct cdt_deferred tell;
    struct cdt_timer poll;
    unsigned polled;     /* watches that inotify does not serve as a whole */
    struct list pending; /* watches that are to be told */
    struct list nodes[FILES_BUCKETS];
};

static inline struct files_store *files_of(struct vchan_store *store)
{
    return cdt_container_of(store, struct files_store, store);
}

void files_watches_init(struct files_store *files);
void files_watches_free(struct files_store *files);
int files_watch(struct vchan_store *store, struct vchan_watch *watch);
void files_unwatch(struct vchan_store *store, struct vchan_watch *watch);

#endif
