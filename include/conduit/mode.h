/* conduit: modes, the values in which configurations say how to connect and how to serve, and their
 * s-expression text, as OCaml's conduit has them. They become endpoints before they are used.
 *
 *   service      ((name http) (port 80) (tls false))
 *   client       (TCP ((IP 1.2.3.4) (Port 80)))
 *                (TLS ((Hostname h) (IP 1.2.3.4) (Port 443)))       also TLS_native, OpenSSL
 *                (Unix_domain_socket (File /x))
 *                (Vchan_direct ((Domid 1) (Port p)))
 *                (Vchan_domain_socket ((Domain_name n) (Port p)))
 *   server       (TCP (Port 80))   (TCP (Socket <opaque>))
 *                (TLS ((Crt_file_path c) (Key_file_path k) No_password (Port 443)))
 *                                  also TLS_native, OpenSSL; with a callback: (Password <fun>)
 *                (Unix_domain_socket (File /x))
 *                (Vchan_direct (1 p))   (Vchan_domain_socket (n p))   (Launchd n)
 *   own key      None   (TLS ((Crt_file_path c) (Key_file_path k) No_password))
 *
 * A socket and a password callback are opaque: they are written, but do not read back (-EINVAL).
 * Conventions: <conduit/version.h>. Everything here may be called from any thread. */
#ifndef CONDUIT_MODE_H
#define CONDUIT_MODE_H

#include <stdbool.h>

#include <conduit/endp.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the scheme of a URI stands for. */
struct cdt_service {
    char name[64];
    uint16_t port;
    bool tls;
};

/* Which library speaks TLS: <conduit/tls.h>. A mode's tag asks for one: TLS, TLS_native, OpenSSL. */
enum cdt_tls_backend { CDT_TLS_ANY, CDT_TLS_WOLFSSL, CDT_TLS_OPENSSL, CDT_TLS_NONE };

/* A certificate chain and its key, in PEM files. */
struct cdt_own_key {
    const char *cert_file, *key_file; /* both NULL: None */
    bool password; /* there is a callback for the key's password; no mode that was read has one */
};

/* How to connect: an endpoint of kind TCP, UNIX, VCHAN_*, or TLS over TCP. */
struct cdt_client_mode {
    enum cdt_tls_backend tls; /* of a TLS endpoint */
    struct cdt_endp *endp;
};

/* How to serve. */
struct cdt_server_mode {
    enum cdt_tls_backend tls;
    struct cdt_own_key key; /* of TLS over TCP */
    struct cdt_endp *endp;  /* HOST without a name (a port of every address), FD, UNIX, VCHAN_*,
                             * SYSTEMD ("Launchd"), or TLS over HOST */
};

/* Reading. 0; -EINVAL or -E2BIG with the error filled in (it may be NULL); -ENOMEM. What was read
 * is to be freed with the function below. */
CDT_API int cdt_service_parse(const char *text, struct cdt_service *service,
                              struct cdt_text_error *error);
CDT_API int cdt_client_mode_parse(const char *text, struct cdt_client_mode **mode,
                                  struct cdt_text_error *error);
CDT_API int cdt_server_mode_parse(const char *text, struct cdt_server_mode **mode,
                                  struct cdt_text_error *error);
CDT_API int cdt_own_key_parse(const char *text, struct cdt_own_key **key,
                              struct cdt_text_error *error);

CDT_API void cdt_client_mode_free(struct cdt_client_mode *mode);
CDT_API void cdt_server_mode_free(struct cdt_server_mode *mode);
CDT_API void cdt_own_key_free(struct cdt_own_key *key);

/* Writing: as cdt_endp_format(), CDT_ENDP_SHORT excepted (-EINVAL). */
CDT_API int cdt_service_format(const struct cdt_service *service, enum cdt_endp_form form,
                               char *text, size_t size);
CDT_API int cdt_client_mode_format(const struct cdt_client_mode *mode, enum cdt_endp_form form,
                                   char *text, size_t size);
CDT_API int cdt_server_mode_format(const struct cdt_server_mode *mode, enum cdt_endp_form form,
                                   char *text, size_t size);
CDT_API int cdt_own_key_format(const struct cdt_own_key *key, enum cdt_endp_form form, char *text,
                               size_t size);

/* How to connect to an endpoint. 0; -EINVAL for one that cannot be connected to (Unknown, HOST, FD,
 * SYSTEMD, TLS over anything but TCP), with the reason in `error` (no offset:
 * there is no text); -ENOMEM. */
CDT_API int cdt_endp_to_client(const struct cdt_endp *endp, struct cdt_client_mode **mode,
                               struct cdt_text_error *error);

/* How to serve at an endpoint. TLS takes the key given: without one -EINVAL, "No TLS server key
 * configured". The mode has no place for an address: it keeps only the port. */
CDT_API int cdt_endp_to_server(const struct cdt_endp *endp, const struct cdt_own_key *key,
                               struct cdt_server_mode **mode, struct cdt_text_error *error);

#ifdef __cplusplus
}
#endif
#endif
