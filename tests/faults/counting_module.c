/* A PKCS#11 library that is another one, and counts its signatures: what a module was asked to do, not what was replied.
 *
 * KEYBROKER_TEST_MODULE names the library that does the work; KEYBROKER_TEST_USES a file of eight octets, in which every
 * process adds up the C_Sign that returned a signature.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef unsigned long CK_RV, CK_ULONG, CK_SESSION_HANDLE;
typedef CK_RV (*Sign)(CK_SESSION_HANDLE, unsigned char *, CK_ULONG, unsigned char *, CK_ULONG *);

/* PKCS#11 v2.40 CK_FUNCTION_LIST: a version, padded to a pointer, and 68 functions; C_Sign is the 44th. */
enum { FUNCTIONS = 68, C_GETFUNCTIONLIST = 3, C_SIGN = 43, CKR_GENERAL_ERROR = 5 };
typedef struct { void *version; void *function[FUNCTIONS]; } List;

static List own;
static Sign real_sign;
static _Atomic uint64_t *uses;

static CK_RV counted_sign(CK_SESSION_HANDLE session, unsigned char *data, CK_ULONG length, unsigned char *signature,
                          CK_ULONG *signature_length) {
    CK_RV result = real_sign(session, data, length, signature, signature_length);
    if (result == 0 && signature) atomic_fetch_add(uses, 1);
    return result;
}

CK_RV C_GetFunctionList(List **list);

static int prepare(void) {
    const char *library = getenv("KEYBROKER_TEST_MODULE"), *file = getenv("KEYBROKER_TEST_USES");
    void *handle = library ? dlopen(library, RTLD_NOW | RTLD_LOCAL) : NULL;
    CK_RV (*get)(List **) = handle ? (CK_RV(*)(List **))dlsym(handle, "C_GetFunctionList") : NULL;
    int descriptor = file ? open(file, O_RDWR | O_CLOEXEC) : -1;
    List *theirs;
    if (!get || descriptor < 0 || get(&theirs) != 0) return 0;
    void *mapped = mmap(NULL, 8, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    close(descriptor);
    if (mapped == MAP_FAILED) return 0;
    uses = mapped;
    memcpy(&own, theirs, sizeof own);
    real_sign = (Sign)own.function[C_SIGN];
    own.function[C_SIGN] = (void *)counted_sign;
    own.function[C_GETFUNCTIONLIST] = (void *)C_GetFunctionList;
    return 1;
}

CK_RV C_GetFunctionList(List **list) {
    if (!real_sign && !prepare()) return CKR_GENERAL_ERROR;
    *list = &own;
    return 0;
}
