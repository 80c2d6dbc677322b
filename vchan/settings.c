/* Options with their defaults: which backend is in force (that of cdt_vchan_select(), else that of
 * the environment's CONDUIT_VCHAN, else what this machine has), and what the environment says of
 * the rest. */
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "vchan/internal.h"

enum {
    RING_DEFAULT = 1024,
    RING_MAX = 1 << VCHAN_ORDER_MAX,
    MODE_DEFAULT = 0700,
    MODE_BITS = 0777
};

/* ---- backends -------------------------------------------------------------------------------- */

static const char *const names[] = {
    [CDT_VCHAN_ANY] = "any",
    [CDT_VCHAN_XEN] = "xen",
    [CDT_VCHAN_LOCAL] = "local",
    [CDT_VCHAN_NONE] = "none",
};

static bool is_backend(enum cdt_vchan_backend backend)
{
    return (unsigned)backend <= CDT_VCHAN_NONE;
}

const char *cdt_vchan_backend_name(enum cdt_vchan_backend backend)
{
    return names[is_backend(backend) ? backend : CDT_VCHAN_ANY];
}

bool cdt_vchan_available(enum cdt_vchan_backend backend)
{
    return backend == CDT_VCHAN_NONE || vchan_backend(backend);
}

static int selected; /* enum cdt_vchan_backend, atomic: any thread may ask */

/* CONDUIT_VCHAN as it was when it was first looked at. */
static struct {
    pthread_once_t once;
    enum cdt_vchan_backend backend; /* ANY: it says nothing */
    bool known;                     /* it is a backend, but not built in */
    char ignored[32];               /* the beginning of one that cannot be followed */
    bool warned;                    /* atomic */
} wish = {.once = PTHREAD_ONCE_INIT};

static void read_wish(void)
{
    const char *text = secure_getenv("CONDUIT_VCHAN");
    if (!text || !*text)
        return;
    for (enum cdt_vchan_backend i = CDT_VCHAN_XEN; i <= CDT_VCHAN_NONE; i++) {
        if (strcasecmp(text, names[i]) != 0)
            continue;
        wish.known = true;
        if (cdt_vchan_available(i))
            wish.backend = i;
    }
    if (wish.backend == CDT_VCHAN_ANY)
        snprintf(wish.ignored, sizeof wish.ignored, "%.31s", text);
}

int cdt_vchan_select(enum cdt_vchan_backend backend)
{
    if (!is_backend(backend))
        return -EINVAL;
    if (backend != CDT_VCHAN_ANY && !cdt_vchan_available(backend))
        return -EPROTONOSUPPORT;
    __atomic_store_n(&selected, (int)backend, __ATOMIC_RELAXED);
    return 0;
}

enum cdt_vchan_backend cdt_vchan_selected(void)
{
    const int mine = __atomic_load_n(&selected, __ATOMIC_RELAXED);
    if (mine != CDT_VCHAN_ANY)
        return (enum cdt_vchan_backend)mine;
    pthread_once(&wish.once, read_wish);
    if (wish.backend != CDT_VCHAN_ANY)
        return wish.backend;
    if (vchan_backend(CDT_VCHAN_XEN) && access("/dev/xen", F_OK) == 0)
        return CDT_VCHAN_XEN;
    return vchan_backend(CDT_VCHAN_LOCAL) ? CDT_VCHAN_LOCAL : CDT_VCHAN_NONE;
}

void vchan_settings_warn(struct cdt_reactor *reactor)
{
    pthread_once(&wish.once, read_wish);
    if (!*wish.ignored || __atomic_exchange_n(&wish.warned, true, __ATOMIC_RELAXED))
        return;
    reactor_log(reactor, CDT_LOG_WARNING, "CONDUIT_VCHAN is \"%s\", which is %s: ignored",
                wish.ignored, wish.known ? "not built in" : "no backend of vchan");
}

/* ---- names ----------------------------------------------------------------------------------- */

static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-";

bool vchan_port_valid(const char *port)
{
    const size_t length = strspn(port, letters);
    return length > 0 && length < VCHAN_PORT_MAX && port[length] == 0;
}

bool vchan_name_valid(const char *name)
{
    size_t length = 0;
    for (; name[length]; length++) {
        const unsigned char c = (unsigned char)name[length];
        if (c < ' ' || c == 0x7f || c == '/' || length == VCHAN_NAME_MAX - 1)
            return false;
    }
    return length > 0 && *name != '.';
}

static const char wrong_name[] =
    "a domain's name has 1 to 250 bytes, no slash or control character, and no dot at its "
    "beginning";

const char *vchan_wrong_place(unsigned domid, const char *name, const char *port)
{
    if (domid > VCHAN_DOMID_MAX)
        return "a domain id is at most 65535";
    if (name && !vchan_name_valid(name))
        return wrong_name;
    if (!port || !vchan_port_valid(port))
        return "a port of vchan is 1 to 63 of a-z, A-Z, 0-9, _ and -";
    return NULL;
}

int vchan_domid_read(const char *text, unsigned *domid)
{
    unsigned value = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9' && value <= VCHAN_DOMID_MAX; at++)
        value = value * 10 + (unsigned)(*at - '0');
    if (at == text || *at || value > VCHAN_DOMID_MAX)
        return -EINVAL;
    *domid = value;
    return 0;
}

/* ---- filling --------------------------------------------------------------------------------- */

static int wrong(struct vchan_settings *settings, int status, const char *why)
{
    settings->why = why;
    return status;
}

static int fill_backend(struct vchan_settings *settings, enum cdt_vchan_backend backend)
{
    if (!is_backend(backend))
        return wrong(settings, -EINVAL, "no backend of vchan");
    if (backend == CDT_VCHAN_ANY)
        backend = cdt_vchan_selected();
    if (backend == CDT_VCHAN_NONE)
        return wrong(settings, -EPROTONOSUPPORT, "vchan is switched off (its backend is none)");
    if (!vchan_backend(backend))
        return wrong(settings, -EPROTONOSUPPORT,
                     backend == CDT_VCHAN_XEN ? "vchan's backend xen is not built in"
                                              : "vchan's backend local is not built in");
    settings->backend = backend;
    return 0;
}

/* The host's name, with what xenstore takes in a path. Local domains share a host: each has a name
 * of its own nevertheless, or the requests of one would take the place of another's. */
static void fill_host_name(struct vchan_settings *settings)
{
    char host[HOST_NAME_MAX + 1] = "";
    if (gethostname(host, sizeof host) != 0 || !vchan_name_valid(host))
        snprintf(host, sizeof host, "localhost");
    for (char *at = host + strspn(host, letters); *at; at += strspn(at, letters))
        *at = '-';
    if (settings->backend == CDT_VCHAN_LOCAL)
        snprintf(settings->name, sizeof settings->name, "%s-%u", host, settings->domid);
    else
        snprintf(settings->name, sizeof settings->name, "%s", host);
}

static int fill_name(struct vchan_settings *settings, const char *name)
{
    if (!name)
        fill_host_name(settings);
    else if (vchan_name_valid(name))
        snprintf(settings->name, sizeof settings->name, "%s", name);
    else
        return wrong(settings, -EINVAL, wrong_name);
    return 0;
}

static int fill_directory(struct vchan_settings *settings, const char *directory)
{
    const char *parent = "/run";
    int length;
    if (!directory)
        directory = secure_getenv("CONDUIT_VCHAN_DIR");
    if (directory && *directory) {
        length = snprintf(settings->directory, sizeof settings->directory, "%s", directory);
    } else {
        const char *runtime = secure_getenv("XDG_RUNTIME_DIR");
        if (runtime && *runtime == '/') /* another one is to be ignored, says its specification */
            parent = runtime;
        length = snprintf(settings->directory, sizeof settings->directory, "%s/conduit", parent);
    }
    if (length >= (int)sizeof settings->directory)
        return wrong(settings, -EINVAL, "the path of vchan's directory is too long");
    return 0;
}

static int fill_domid(struct vchan_settings *settings, unsigned wanted)
{
    const char *text = secure_getenv("CONDUIT_DOMID");
    if (wanted > VCHAN_DOMID_MAX + 1)
        return wrong(settings, -EINVAL, "a domain id is at most 65535");
    if (wanted)
        settings->domid = wanted - 1;
    else if (text && *text && vchan_domid_read(text, &settings->domid) != 0)
        return wrong(settings, -EINVAL, "CONDUIT_DOMID is no number from 0 to 65535");
    return 0;
}

static int fill_numbers(struct vchan_settings *settings, const struct cdt_vchan_options *options)
{
    if (options->read_size > RING_MAX || options->write_size > RING_MAX)
        return wrong(settings, -EINVAL, "a ring of vchan has at most 1 MiB");
    if (options->spin > CDT_MS)
        return wrong(settings, -EINVAL, "vchan spins for at most 1 ms");
    if (options->mode & ~(mode_t)MODE_BITS)
        return wrong(settings, -EINVAL, "the mode of vchan's directory is at most 0777");
    settings->read_size = options->read_size ? options->read_size : RING_DEFAULT;
    settings->write_size = options->write_size ? options->write_size : RING_DEFAULT;
    settings->spin = options->spin;
    settings->mode = options->mode ? options->mode : MODE_DEFAULT;
    return 0;
}

int vchan_settings_fill(struct vchan_settings *settings, const struct cdt_vchan_options *options)
{
    struct cdt_vchan_options mine;
    *settings = (struct vchan_settings){0};
    if (!options_copy(&mine, sizeof mine, options))
        return wrong(settings, -EINVAL, "these options of vchan are of another version");
    int status = fill_backend(settings, mine.backend);
    if (status == 0)
        status = fill_numbers(settings, &mine);
    if (status == 0)
        status = fill_domid(settings, mine.domid);
    if (status == 0)
        status = fill_name(settings, mine.name);
    if (status == 0)
        status = fill_directory(settings, mine.directory);
    return status;
}
