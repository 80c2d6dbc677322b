/* TLS of the demo: a certificate for itself that is good for nothing else, as its key is here for all
 * to read. The clients know it by its fingerprint. */
#include "tools/demo.h"

static const char certificate[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBiDCCAS6gAwIBAgIBATAKBggqhkjOPQQDAjAXMRUwEwYDVQQDDAxjb25kdWl0\n"
    "IGRlbW8wIBcNMjYxMTIyMDM0NDAzWhgPMjEyNjEwMjkwMzQ0MDNaMBcxFTATBgNV\n"
    "BAMMDGNvbmR1aXQgZGVtbzBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABB6p3p8U\n"
    "vW09hHPnT6VlGsvNsw0BOjSIbzoVEy+lP4vBAlyCDM9TxeaotEf6oYcvTAxg6Kaw\n"
    "UlkruA4yox0XoXqjaTBnMB0GA1UdDgQWBBTLwqeFKMK9bYgV/bOoucXhicVYGzAf\n"
    "BgNVHSMEGDAWgBTLwqeFKMK9bYgV/bOoucXhicVYGzAPBgNVHRMBAf8EBTADAQH/\n"
    "MBQGA1UdEQQNMAuCCWxvY2FsaG9zdDAKBggqhkjOPQQDAgNIADBFAiBcpH7cAq18\n"
    "SdRIEBFo96h+t3syagdcYajibpUSi1gKIwIhAMiPvIINwMK4SgwLyUtCRbO5UBN1\n"
    "HEyMJDpu7n6e+x7g\n"
    "-----END CERTIFICATE-----\n";

static const char key[] = "-----BEGIN PRIVATE KEY-----\n"
                          "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgJGfBB2mDSLsjrpX4\n"
                          "aqmBX6GkVkGcvwV0NmuCkrwkSiahRANCAAQeqd6fFL1tPYRz50+lZRrLzbMNATo0\n"
                          "iG86FRMvpT+LwQJcggzPU8XmqLRH+qGHL0wMYOimsFJZK7gOMqMdF6F6\n"
                          "-----END PRIVATE KEY-----\n";

static const uint8_t fingerprint[1][32] = {{0x04, 0x96, 0x5c, 0x4b, 0xe3, 0xfd, 0x08, 0xda,
                                            0x63, 0x7c, 0x1c, 0xae, 0x04, 0xe2, 0x80, 0x57,
                                            0xd3, 0xba, 0x35, 0x4e, 0xd9, 0x66, 0x9c, 0x91,
                                            0x3e, 0xcd, 0x06, 0x40, 0x70, 0xc1, 0x41, 0xcf}};

int demo_tls(struct cdt_reactor *reactor, enum cdt_tls_backend backend,
             struct cdt_tls_config **server, struct cdt_tls_config **client,
             struct cdt_text_error *error)
{
    const struct cdt_tls_identity identity = {.cert = certificate, .key = key};
    const struct cdt_tls_options ours = {
        .size = sizeof ours,
        .role = CDT_TLS_SERVER,
        .backend = backend,
        .identities = &identity,
        .identity_count = 1,
    };
    const struct cdt_tls_options theirs = {
        .size = sizeof theirs,
        .role = CDT_TLS_CLIENT,
        .backend = backend,
        .system_anchors = CDT_OFF,
        .pins = fingerprint,
        .pin_count = 1,
    };
    const int status = cdt_tls_config_new(reactor, &ours, server, error);
    return status ? status : cdt_tls_config_new(reactor, &theirs, client, error);
}
