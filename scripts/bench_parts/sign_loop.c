/* How fast is the module alone? One session, one key, C_SignInit + C_Sign in a loop, for a given time.
 *
 *   sign_loop LIBRARY TOKEN_LABEL KEY_LABEL SPKI_HEX START SECONDS VERIFY
 *
 * The user's PIN is in KEYBROKER_PIN. START is the Unix time to begin at, so that several processes run together.
 * With VERIFY 1 every signature is verified with the public key (OpenSSL's EVP interface) before the next is made.
 * The digest differs for every signature, as it does for a broker. Prints the number of signatures made.
 *
 * Neither pkcs11.h nor OpenSSL's headers are needed: what is used of both is declared here, from PKCS#11 v2.40
 * (base specification, tables of section 5) and from OpenSSL 3's manual pages.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

typedef unsigned long ck;

struct attribute { ck type; void *value; ck length; };
struct mechanism { ck type; void *parameter; ck length; };
struct initialize { void *create, *destroy, *lock, *unlock; ck flags; void *reserved; };
/* CK_TOKEN_INFO begins with the label, 32 octets padded with spaces; the whole is smaller than 512. */
struct token { char label[32]; char rest[480]; };
/* CK_FUNCTION_LIST: a version of two octets, then the functions in the order of the specification. */
struct functions { unsigned char version[2]; void *at[68]; };

enum { INITIALIZE = 0, SLOT_LIST = 4, TOKEN_INFO = 6, OPEN_SESSION = 12, LOGIN = 18,
       FIND_INIT = 26, FIND = 27, FIND_FINAL = 28, SIGN_INIT = 42, SIGN = 43 };
enum { CKA_CLASS = 0, CKA_LABEL = 3, CKO_PRIVATE_KEY = 3, CKM_ECDSA = 0x1041, CKU_USER = 1,
       CKF_OS_LOCKING_OK = 2, CKF_SERIAL_SESSION = 4 };

static struct functions *p11;

static void die(const char *what, ck code) { fprintf(stderr, "sign_loop: %s: 0x%lx\n", what, code); exit(1); }

#define CALL(index, types, ...) do { \
    ck rv_ = ((ck (*) types)p11->at[index])(__VA_ARGS__); \
    if (rv_ != 0) die(#index, rv_); } while (0)

static ck open_session(const char *label, const char *pin)
{
    ck slots[64], count = 64, session = 0;
    CALL(SLOT_LIST, (unsigned char, ck *, ck *), 1, slots, &count);
    for (ck i = 0; i < count; i++) {
        struct token token;
        CALL(TOKEN_INFO, (ck, struct token *), slots[i], &token);
        if (strncmp(token.label, label, strlen(label)) != 0) continue;
        if (strlen(label) < 32 && token.label[strlen(label)] != ' ') continue;
        CALL(OPEN_SESSION, (ck, ck, void *, void *, ck *), slots[i], CKF_SERIAL_SESSION, NULL, NULL, &session);
        CALL(LOGIN, (ck, ck, const char *, ck), session, CKU_USER, pin, strlen(pin));
        return session;
    }
    die("no token of that label", count);
    return 0;
}

static ck find_key(ck session, const char *label)
{
    ck class = CKO_PRIVATE_KEY, found[2], count = 0;
    struct attribute wanted[2] = {{CKA_CLASS, &class, sizeof class}, {CKA_LABEL, (void *)label, strlen(label)}};
    CALL(FIND_INIT, (ck, struct attribute *, ck), session, wanted, 2);
    CALL(FIND, (ck, ck *, ck, ck *), session, found, 2, &count);
    CALL(FIND_FINAL, (ck), session);
    if (count != 1) die("expected exactly one private key of that label", count);
    return found[0];
}

/* OpenSSL, for the loop that verifies. */
static void *(*d2i_pubkey)(void *, const unsigned char **, long);
static void *(*context_new)(void *, void *);
static int (*verify_init)(void *);
static int (*verify)(void *, const unsigned char *, size_t, const unsigned char *, size_t);

static void *verifier(const char *hex)
{
    const char *names[] = {"libcrypto.so.3", "libcrypto.so.1.1", "libcrypto.so"};
    void *library = NULL;
    for (size_t i = 0; i < 3 && library == NULL; i++) library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) die("no libcrypto", 0);
    d2i_pubkey = (void *(*)(void *, const unsigned char **, long))dlsym(library, "d2i_PUBKEY");
    context_new = (void *(*)(void *, void *))dlsym(library, "EVP_PKEY_CTX_new");
    verify_init = (int (*)(void *))dlsym(library, "EVP_PKEY_verify_init");
    verify = (int (*)(void *, const unsigned char *, size_t, const unsigned char *, size_t))dlsym(library, "EVP_PKEY_verify");
    unsigned char der[256];
    size_t length = strlen(hex) / 2;
    if (length > sizeof der) die("public key too long", length);
    for (size_t i = 0; i < length; i++) { unsigned octet; sscanf(hex + 2 * i, "%2x", &octet); der[i] = (unsigned char)octet; }
    const unsigned char *next = der;
    void *key = d2i_pubkey(NULL, &next, (long)length);
    void *context = key ? context_new(key, NULL) : NULL;
    if (context == NULL || verify_init(context) != 1) die("public key not read", 0);
    return context;
}

/* One DER INTEGER from 32 octets, big-endian. */
static size_t der_integer(unsigned char *out, const unsigned char *octets)
{
    size_t skip = 0;
    while (skip < 31 && octets[skip] == 0) skip++;
    size_t pad = octets[skip] >> 7, length = 32 - skip;
    out[0] = 0x02;
    out[1] = (unsigned char)(length + pad);
    out[2] = 0;
    memcpy(out + 2 + pad, octets + skip, length);
    return 2 + pad + length;
}

static void check(void *context, const unsigned char *digest, const unsigned char *rs)
{
    unsigned char der[80];
    size_t r = der_integer(der + 2, rs), s = der_integer(der + 2 + r, rs + 32);
    der[0] = 0x30;
    der[1] = (unsigned char)(r + s);
    if (verify(context, der, 2 + r + s, digest, 32) != 1) die("a signature does not verify", 0);
}

static double now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    const char *pin = getenv("KEYBROKER_PIN");
    if (argc != 8 || pin == NULL) die("usage: LIBRARY TOKEN_LABEL KEY_LABEL SPKI_HEX START SECONDS VERIFY, PIN in KEYBROKER_PIN", 0);
    void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) die(dlerror(), 0);
    ck (*get_list)(struct functions **) = (ck (*)(struct functions **))dlsym(library, "C_GetFunctionList");
    if (get_list == NULL || get_list(&p11) != 0) die("C_GetFunctionList", 0);
    /* Processes that initialise one SoftHSM token at the same instant fail now and then: one at a time. */
    int turn = open(argv[1], O_RDONLY | O_CLOEXEC);
    if (turn < 0 || flock(turn, LOCK_EX) != 0) die("no turn to initialise", 0);
    struct initialize arguments = {NULL, NULL, NULL, NULL, CKF_OS_LOCKING_OK, NULL};
    CALL(INITIALIZE, (struct initialize *), &arguments);
    ck session = open_session(argv[2], pin), key = find_key(session, argv[3]);
    close(turn);
    double start = atof(argv[5]), end = start + atof(argv[6]);
    void *context = atoi(argv[7]) ? verifier(argv[4]) : NULL;
    struct mechanism ecdsa = {CKM_ECDSA, NULL, 0};
    unsigned char digest[32] = {0}, signature[64];
    uint64_t made = 0;
    while (now() < start) usleep(200);
    while (now() < end) {
        ck length = sizeof signature;
        memcpy(digest, &made, sizeof made);
        CALL(SIGN_INIT, (ck, struct mechanism *, ck), session, &ecdsa, key);
        CALL(SIGN, (ck, unsigned char *, ck, unsigned char *, ck *), session, digest, sizeof digest, signature, &length);
        if (length != sizeof signature) die("a signature of another length", length);
        if (context != NULL) check(context, digest, signature);
        made++;
    }
    printf("%llu\n", (unsigned long long)made);
    return 0;
}
