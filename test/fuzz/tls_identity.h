/* For fuzzers: an anchor, and a certificate of it for example.org and *.example.org with its key
 * (P-256), good from 2020 to 2120. Nobody trusts them. */
#ifndef TEST_FUZZ_TLS_IDENTITY_H
#define TEST_FUZZ_TLS_IDENTITY_H

static const char identity_anchor[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBUTCB+KADAgECAgEBMAoGCCqGSM49BAMCMBExDzANBgNVBAMMBmFuY2hvcjAg\n"
    "Fw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowETEPMA0GA1UEAwwGYW5j\n"
    "aG9yMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAExmc3YUlm9D2UW/xvXiDqHJZ/\n"
    "nDthExcXpSjV8jkEhKLOjzOSfBc5uBVQMh1Tta4rZxJV73ZXpvrulD81jWAqvqM/\n"
    "MD0wDwYDVR0TAQH/BAUwAwEB/zALBgNVHQ8EBAMCAQYwHQYDVR0OBBYEFPkzSkrd\n"
    "h9oTntabVbuqyytrWlhGMAoGCCqGSM49BAMCA0gAMEUCIQDMmEl+4Fn9kIzoIUik\n"
    "HkMmiuvWvuRviqKu79xj3yKPRQIgcM80MORdWmYI6NBRi79E/Zc7AAZ4SmNEtfKj\n"
    "kUPuwkY=\n"
    "-----END CERTIFICATE-----\n";

static const char identity_cert[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBhTCCASugAwIBAgIBAjAKBggqhkjOPQQDAjARMQ8wDQYDVQQDDAZhbmNob3Iw\n"
    "IBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMA8xDTALBgNVBAMMBGxl\n"
    "YWYwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATJDDLChss25+CUicCZTREDh2Pm\n"
    "zKpVapCWNbTi6eErhm5dv8tC5Jz5hBLivqffOCuE3CgRAZCTiqgTGcc/Edt3o3Qw\n"
    "cjAJBgNVHRMEAjAAMCUGA1UdEQQeMByCC2V4YW1wbGUub3Jngg0qLmV4YW1wbGUu\n"
    "b3JnMB8GA1UdIwQYMBaAFPkzSkrdh9oTntabVbuqyytrWlhGMB0GA1UdDgQWBBRj\n"
    "VUJaWBMXVcnGgCNb4d1qHfHaVjAKBggqhkjOPQQDAgNIADBFAiAz+btzieTkK7oI\n"
    "jkYMJa31acEF1a4ZiYE88HbWKjMV1gIhAPHFxuSUDsfFlnuDn7vSwTbUxubkrji8\n"
    "DlAFcU/UvtGf\n"
    "-----END CERTIFICATE-----\n";

static const char identity_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQghkeaYEEg1Nt2PQuT\n"
    "AUR4BUqgw7KYjUk6Ks8TbDYgp4+hRANCAATJDDLChss25+CUicCZTREDh2PmzKpV\n"
    "apCWNbTi6eErhm5dv8tC5Jz5hBLivqffOCuE3CgRAZCTiqgTGcc/Edt3\n"
    "-----END PRIVATE KEY-----\n";

#endif
