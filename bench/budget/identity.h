/* A certificate, and its key, for budget.example, valid until 2081: P-256, signed by itself. Always
 * the same, so that what is computed with them is. It is public: of no use but here. */
#ifndef BENCH_BUDGET_IDENTITY_H
#define BENCH_BUDGET_IDENTITY_H

static const char identity_cert[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBozCCAUqgAwIBAgIUMkaB7dHc51VIcnPF24Hf+g8ilC8wCgYIKoZIzj0EAwIw\n"
    "GTEXMBUGA1UEAwwOYnVkZ2V0LmV4YW1wbGUwIBcNMjYxMTIyMTAxMjUxWhgPMjA4\n"
    "MTA4MjUxMDEyNTFaMBkxFzAVBgNVBAMMDmJ1ZGdldC5leGFtcGxlMFkwEwYHKoZI\n"
    "zj0CAQYIKoZIzj0DAQcDQgAEQenGR9/hokbLPTVpPXw8ezjuOBFN5hoCxX6G2TN6\n"
    "bqHFvN3vC1cXQ+jp4z7ijxVrbJMsiclu/udefkej3x3TRaNuMGwwHQYDVR0OBBYE\n"
    "FAl/Gvar6q2qeXr6MCpggxu2ymfAMB8GA1UdIwQYMBaAFAl/Gvar6q2qeXr6MCpg\n"
    "gxu2ymfAMA8GA1UdEwEB/wQFMAMBAf8wGQYDVR0RBBIwEIIOYnVkZ2V0LmV4YW1w\n"
    "bGUwCgYIKoZIzj0EAwIDRwAwRAIgd5pqQox9edfEd/R1kpVzJGQLsGJ9UBrMAvBv\n"
    "wwm22eICIG0A1Z3Az3rveEf7/PZ8DnHjLrsN/xbHk0l1w073s8bs\n"
    "-----END CERTIFICATE-----\n";

static const char identity_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg1tNxflE76eKYaCY4\n"
    "20OHl6WvGzwftTX4IH6CZwkGmNyhRANCAARB6cZH3+GiRss9NWk9fDx7OO44EU3m\n"
    "GgLFfobZM3puocW83e8LVxdD6OnjPuKPFWtskyyJyW7+515+R6PfHdNF\n"
    "-----END PRIVATE KEY-----\n";

#endif
