/* A PKCS#11 library that is another one, writes down every signature, and misbehaves where it is told to, while it runs.
 *
 * KEYBROKER_TEST_MODULE names the library that does the work. KEYBROKER_TEST_USES names a file to which each C_Sign adds
 * lines, each by one write(2): kill -9 takes nothing away that was written. Before the key is used, "asked DIGEST"; after
 * it, "made DIGEST SIGNATURE" or "failed DIGEST RETURN-VALUE", in hexadecimal. What cannot be written is not signed. A
 * call that a rule fails before it comes to the key adds "stopped DIGEST RETURN-VALUE" alone.
 *
 * KEYBROKER_FAULTS names a directory. While there is a file "shim" in it, each of its lines is a rule, looked at anew at
 * every call: FUNCTION ACTION ARGUMENT EVERY. FUNCTION is C_Sign and so on, or * for all; EVERY is n for each n-th call
 * of that function in a process. The first rule
 * whose turn it is counts.
 *   delay     milliseconds, then as usual
 *   fail      return value (hexadecimal); the real function is not called
 *   lose      return value (hexadecimal); the real function was called, its result is lost
 *   flip      number of the bit of the result that is turned over (C_Sign alone)
 *   truncate  length in octets of the result (C_Sign alone)
 *   drop      a number: once for each number and process, all sessions of the call's slot are closed, then as usual
 *   hang      0: until the file changes or goes, then as usual
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef unsigned long CK_RV, Any;
/* None of these functions has more arguments, and each is an unsigned long or a pointer. */
typedef CK_RV (*Call)(Any, Any, Any, Any, Any, Any, Any, Any);

/* PKCS#11 v2.40 CK_FUNCTION_LIST: a version, padded to a pointer, and 68 functions. */
enum { FUNCTIONS = 68, C_GETFUNCTIONLIST = 3, C_CLOSEALLSESSIONS = 14, C_GETSESSIONINFO = 15, C_SIGN = 43 };
enum { CKR_GENERAL_ERROR = 5, TEXT = 4096, WORD = 40, LONGEST = 256, ROOM = 2 * 2 * LONGEST + 64 };
typedef struct { void *version; void *function[FUNCTIONS]; } List;
typedef struct { char function[WORD], action[WORD], argument[WORD]; unsigned long every; } Rule;

static List own, theirs;
static int uses = -1;
static _Atomic unsigned long calls[FUNCTIONS];
static _Atomic long dropped = -1;

/* The rules as they stand now; 0 where there are none. */
static int read_rules(char text[TEXT]) {
    const char *directory = getenv("KEYBROKER_FAULTS");
    char path[PATH_MAX];
    if (!directory || snprintf(path, sizeof path, "%s/shim", directory) >= (int)sizeof path) return 0;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    ssize_t length = read(file, text, TEXT - 1);
    close(file);
    text[length > 0 ? length : 0] = 0;
    return length > 0;
}

static int find_rule(const char *name, int number, char text[TEXT], Rule *rule) {
    if (!read_rules(text)) return 0;
    for (char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
        if (sscanf(line, "%39s %39s %39s %lu", rule->function, rule->action, rule->argument, &rule->every) != 4) continue;
        if (strcmp(rule->function, name) && strcmp(rule->function, "*")) continue;
        if (atomic_fetch_add(&calls[number], 1) % (rule->every ? rule->every : 1) == 0) return 1;
    }
    return 0;
}

static void rest(long milliseconds) {
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static void hang_while(const char text[TEXT]) {
    char now[TEXT];
    do rest(10);
    while (read_rules(now) && !strcmp(now, text));
}

/* Every session of the slot that this session belongs to. */
static void drop_sessions(Any session, long number) {
    Any info[4];
    if (atomic_exchange(&dropped, number) == number) return;
    if (((Call)theirs.function[C_GETSESSIONINFO])(session, (Any)info, 0, 0, 0, 0, 0, 0)) return;
    ((Call)theirs.function[C_CLOSEALLSESSIONS])(info[0], 0, 0, 0, 0, 0, 0, 0);
}

/* What is done before the real function: 0 to go on, or the return value that it never gets to. */
static CK_RV before(const Rule *rule, const char text[TEXT], Any first) {
    if (!strcmp(rule->action, "delay")) rest(atol(rule->argument));
    else if (!strcmp(rule->action, "hang")) hang_while(text);
    else if (!strcmp(rule->action, "drop")) drop_sessions(first, atol(rule->argument));
    else if (!strcmp(rule->action, "fail")) return strtoul(rule->argument, NULL, 16);
    return 0;
}

static CK_RV lost(const Rule *rule, CK_RV result) {
    return strcmp(rule->action, "lose") ? result : strtoul(rule->argument, NULL, 16);
}

#define FORWARD(number, name)                                                                      \
    static CK_RV name(Any a, Any b, Any c, Any d, Any e, Any f, Any g, Any h) {                    \
        Rule rule;                                                                                 \
        char text[TEXT];                                                                           \
        int fits = find_rule(#name, number, text, &rule);                                          \
        CK_RV failed = fits ? before(&rule, text, a) : 0;                                          \
        if (failed) return failed;                                                                 \
        CK_RV result = ((Call)theirs.function[number])(a, b, c, d, e, f, g, h);                    \
        return fits ? lost(&rule, result) : result;                                                \
    }
/* The functions that a broker calls while it runs; the others are the real ones. */
#define EACH(DO)                                                                                              \
    DO(0, C_Initialize) DO(1, C_Finalize) DO(2, C_GetInfo) DO(4, C_GetSlotList) DO(5, C_GetSlotInfo)          \
    DO(6, C_GetTokenInfo) DO(7, C_GetMechanismList) DO(12, C_OpenSession) DO(13, C_CloseSession)              \
    DO(15, C_GetSessionInfo) DO(18, C_Login) DO(20, C_CreateObject) DO(21, C_CopyObject)                      \
    DO(22, C_DestroyObject) DO(24, C_GetAttributeValue) DO(25, C_SetAttributeValue) DO(26, C_FindObjectsInit) \
    DO(27, C_FindObjects) DO(28, C_FindObjectsFinal) DO(29, C_EncryptInit) DO(30, C_Encrypt)                  \
    DO(33, C_DecryptInit) DO(34, C_Decrypt) DO(37, C_DigestInit) DO(39, C_DigestUpdate) DO(40, C_DigestKey)   \
    DO(41, C_DigestFinal) DO(42, C_SignInit) DO(58, C_GenerateKey) DO(59, C_GenerateKeyPair)                  \
    DO(60, C_WrapKey) DO(61, C_UnwrapKey) DO(62, C_DeriveKey) DO(64, C_GenerateRandom)

EACH(FORWARD)

static char *add_hex(char *to, const unsigned char *octets, Any length) {
    static const char digits[] = "0123456789abcdef";
    *to++ = ' ';
    for (Any at = 0; at < length && at < LONGEST; at++) {
        *to++ = digits[octets[at] >> 4];
        *to++ = digits[octets[at] & 15];
    }
    return to;
}

/* One line, by one write: processes that write at once do not mix, and kill -9 leaves it whole or not there. */
static int write_down(const char *what, Any data, Any length, const unsigned char *octets, Any octets_length) {
    char line[ROOM], *end = stpcpy(line, what);
    end = add_hex(end, (const unsigned char *)data, length);
    if (octets) end = add_hex(end, octets, octets_length);
    *end++ = '\n';
    return write(uses, line, end - line) == end - line;
}

static void write_failure(const char *what, Any data, Any length, CK_RV result) {
    unsigned char value[2] = {result >> 8 & 255, result & 255};
    write_down(what, data, length, value, sizeof value);
}

static CK_RV signed_and_written(Any session, Any data, Any length, unsigned char *signature, Any *signature_length) {
    if (!write_down("asked", data, length, NULL, 0)) return CKR_GENERAL_ERROR;
    CK_RV result = ((Call)theirs.function[C_SIGN])(session, data, length, (Any)signature, (Any)signature_length, 0, 0, 0);
    if (result == 0) write_down("made", data, length, signature, *signature_length);
    else write_failure("failed", data, length, result);
    return result;
}

static void spoil(const Rule *rule, unsigned char *signature, Any *signature_length) {
    Any argument = strtoul(rule->argument, NULL, 10);
    if (!strcmp(rule->action, "flip") && argument / 8 < *signature_length) signature[argument / 8] ^= 1 << argument % 8;
    if (!strcmp(rule->action, "truncate") && argument < *signature_length) *signature_length = argument;
}

static CK_RV C_Sign(Any session, Any data, Any length, unsigned char *signature, Any *signature_length) {
    Rule rule;
    char text[TEXT];
    int fits = find_rule("C_Sign", C_SIGN, text, &rule);
    CK_RV result = fits ? before(&rule, text, session) : 0;
    if (result && signature) write_failure("stopped", data, length, result);
    if (result) return result;
    if (!signature)
        return ((Call)theirs.function[C_SIGN])(session, data, length, 0, (Any)signature_length, 0, 0, 0);
    result = signed_and_written(session, data, length, signature, signature_length);
    if (!fits || result) return result;
    spoil(&rule, signature, signature_length);
    return lost(&rule, result);
}

CK_RV C_GetFunctionList(List **list);

static pthread_mutex_t preparing = PTHREAD_MUTEX_INITIALIZER;

static int prepare(void) {
    const char *library = getenv("KEYBROKER_TEST_MODULE"), *file = getenv("KEYBROKER_TEST_USES");
    void *handle = library ? dlopen(library, RTLD_NOW | RTLD_LOCAL) : NULL;
    CK_RV (*get)(List **) = handle ? (CK_RV(*)(List **))dlsym(handle, "C_GetFunctionList") : NULL;
    List *found;
    if (!get || !file || get(&found) != 0) return 0;
    uses = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (uses < 0) return 0;
    memcpy(&theirs, found, sizeof theirs);
    memcpy(&own, found, sizeof own);
#define PUT(number, name) own.function[number] = (void *)name;
    EACH(PUT)
    own.function[C_SIGN] = (void *)C_Sign;
    own.function[C_GETFUNCTIONLIST] = (void *)C_GetFunctionList;
    return 1;
}

CK_RV C_GetFunctionList(List **list) {
    pthread_mutex_lock(&preparing);
    int ready = uses >= 0 || prepare();
    pthread_mutex_unlock(&preparing);
    if (!ready) return CKR_GENERAL_ERROR;
    *list = &own;
    return 0;
}
