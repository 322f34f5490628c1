/* A PKCS#11 library that is another one, and fails where it is told to: a token that is full, read-only, or gone.
 *
 * KEYBROKER_TEST_MODULE names the library that does the work; KEYBROKER_FAULTS a directory. While there is a file
 * "module" in it, the functions that it names fail: line 1 the return value (hexadecimal) and functions, each with a semicolon behind,
 * line 2 how many calls succeed before (0 when absent), counted by each process since the file was there.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long CK_RV, Any;
/* None of these functions has more arguments, and each is an unsigned long or a pointer. */
typedef CK_RV (*Call)(Any, Any, Any, Any, Any, Any, Any, Any);

/* PKCS#11 v2.40 CK_FUNCTION_LIST: a version, padded to a pointer, and 68 functions. */
enum { FUNCTIONS = 68, C_GETFUNCTIONLIST = 3, CKR_GENERAL_ERROR = 5, TEXT = 512 };
typedef struct { void *version; void *function[FUNCTIONS]; } List;

static List own, theirs;
static long passed;

/* The return value with which this call must fail, 0 where it may go on. */
static CK_RV failure(const char *name) {
    const char *directory = getenv("KEYBROKER_FAULTS");
    char path[PATH_MAX], text[TEXT] = "";
    if (!directory || snprintf(path, sizeof path, "%s/module", directory) >= (int)sizeof path) return 0;
    FILE *file = fopen(path, "re");
    if (!file) { passed = 0; return 0; }
    text[fread(text, 1, TEXT - 1, file)] = 0;
    fclose(file);
    char *second = strchr(text, '\n');
    long after = second ? atol(second + 1) : 0;
    if (second) *second = 0;
    return strstr(text, name) && passed++ >= after ? strtoul(text, NULL, 16) : 0;
}

#define FAILS(number, name)                                                              \
    static CK_RV name(Any a, Any b, Any c, Any d, Any e, Any f, Any g, Any h) {          \
        CK_RV failed = failure(#name ";");                                               \
        return failed ? failed : ((Call)theirs.function[number])(a, b, c, d, e, f, g, h); \
    }
#define EACH(DO)                                                                              \
    DO(20, C_CreateObject) DO(21, C_CopyObject) DO(22, C_DestroyObject) DO(25, C_SetAttributeValue) \
    DO(58, C_GenerateKey) DO(59, C_GenerateKeyPair) DO(60, C_WrapKey) DO(61, C_UnwrapKey)

EACH(FAILS)

CK_RV C_GetFunctionList(List **list);

static int prepare(void) {
    const char *library = getenv("KEYBROKER_TEST_MODULE");
    void *handle = library ? dlopen(library, RTLD_NOW | RTLD_LOCAL) : NULL;
    CK_RV (*get)(List **) = handle ? (CK_RV(*)(List **))dlsym(handle, "C_GetFunctionList") : NULL;
    List *found;
    if (!get || get(&found) != 0) return 0;
    memcpy(&theirs, found, sizeof theirs);
    memcpy(&own, found, sizeof own);
#define PUT(number, name) own.function[number] = (void *)name;
    EACH(PUT)
    own.function[C_GETFUNCTIONLIST] = (void *)C_GetFunctionList;
    return 1;
}

CK_RV C_GetFunctionList(List **list) {
    if (!theirs.function[0] && !prepare()) return CKR_GENERAL_ERROR;
    *list = &own;
    return 0;
}
