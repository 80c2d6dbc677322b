/* A certificate for tests that need just one: self-signed, P-256, good until 2126, for the names
 * conduit.test and localhost and the addresses 127.0.0.1 and ::1. */
#ifndef TEST_SUPPORT_IDENTITY_H
#define TEST_SUPPORT_IDENTITY_H

static const char test_certificate[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBwjCCAWmgAwIBAgIUKXY6qmuCBg5X46Yj6GDBdmZjsbkwCgYIKoZIzj0EAwIw\n"
    "FzEVMBMGA1UEAwwMY29uZHVpdC50ZXN0MCAXDTI2MTEyMjAzNDgzN1oYDzIxMjYx\n"
    "MDI5MDM0ODM3WjAXMRUwEwYDVQQDDAxjb25kdWl0LnRlc3QwWTATBgcqhkjOPQIB\n"
    "BggqhkjOPQMBBwNCAATuwPiBoK8jcjfRUjdvxELyyqtYQ86+SmNmJtbb9yqPWDPJ\n"
    "tOQ3jLC9nHPO1/AwHCgEFKEi5TpaqsaF64fI5Difo4GQMIGNMB0GA1UdDgQWBBQe\n"
    "XC0CnLgCM68f2xucqjWFTywFCTAfBgNVHSMEGDAWgBQeXC0CnLgCM68f2xucqjWF\n"
    "TywFCTA6BgNVHREEMzAxggxjb25kdWl0LnRlc3SCCWxvY2FsaG9zdIcEfwAAAYcQ\n"
    "AAAAAAAAAAAAAAAAAAAAATAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0cA\n"
    "MEQCIHJVYyESrpVCT8XoPc2QV0vycoihxaorpJx8hupOUFORAiAagjmKJJRP729F\n"
    "8oiKqoSGLdnTFeBiRne/B54O/xBrHA==\n"
    "-----END CERTIFICATE-----\n";

static const char test_key[] = "-----BEGIN PRIVATE KEY-----\n"
                               "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgFnK/HuxDY+pAb4N+\n"
                               "8Q6Zv+G0+gur3WoFv7sAr1W2K9+hRANCAATuwPiBoK8jcjfRUjdvxELyyqtYQ86+\n"
                               "SmNmJtbb9yqPWDPJtOQ3jLC9nHPO1/AwHCgEFKEi5TpaqsaF64fI5Dif\n"
                               "-----END PRIVATE KEY-----\n";

#endif
