/* A PKCS#11 module that passes every call on to the module named in FAULT_TARGET, but for the rules in the file FAULT_RULES.
 * A rule is a line "<function> <what> <number>", read anew at every call:
 *   C_Sign rv 0x30            returns this value without passing the call on
 *   C_Sign sleep 2000         waits so many milliseconds first
 *   C_Sign crash 0            dies by SIGSEGV
 *   C_Sign short 1            passes on, and makes the signature so many bytes shorter
 *   C_GetTokenInfo flags 0x20000    adds these flags
 *   C_GetTokenInfo serial 7         says that the serial is sixteen times this digit
 *   C_GetAttributeValue true 0x162  says CK_TRUE for this boolean attribute
 *   C_GetAttributeValue false 0x163 says CK_FALSE for it
 *   C_GetAttributeValue fail 0x181  has no such attribute
 *   C_GetMechanismList without 0x1041  leaves this mechanism out (puts CKM_SHA_1 in its place)
 *   pad user 1111             has a pad, on which people type: this user PIN (decimal digits) wherever the call brings no PIN
 *   pad so 2222               and this SO PIN, when the security officer is meant
 *   pad new 3333              and this new PIN in C_SetPIN; without a rule `pad new`, that of whoever is meant
 *   C_GenerateRandom noise 0  writes to standard output and reads from standard input, as a bad module may
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long UL;
typedef UL (*Call)(UL, UL, UL, UL, UL, UL, UL, UL);
typedef struct { unsigned char version[2]; Call f[68]; } List;
typedef struct { UL type; void *value; UL length; } Attribute;
typedef struct { char label[32], manufacturer[32], model[16], serial[16]; UL flags; } TokenInfo;

static List mine, *real;

static int rule(const char *function, const char *what, UL *number) {
  const char *path = getenv("FAULT_RULES");
  FILE *file = path ? fopen(path, "r") : NULL;
  char line[200], a[64], b[64];
  int hit = 0;
  if (!file) return 0;
  while (!hit && fgets(line, sizeof line, file)) {
    UL value = 0;
    if (sscanf(line, "%63s %63s %li", a, b, (long *)&value) == 3 && !strcmp(a, function) && !strcmp(b, what)) {
      if (number) *number = value;
      hit = 1;
    }
  }
  fclose(file);
  return hit;
}

static UL before(const char *function) {
  UL number = 0;
  if (rule(function, "sleep", &number)) usleep(number * 1000);
  if (rule(function, "crash", NULL)) { signal(SIGSEGV, SIG_DFL); raise(SIGSEGV); }
  if (rule(function, "noise", NULL)) {
    char octet;
    if (write(1, "noise\n", 6) < 0 || read(0, &octet, 1) > 0) abort();
  }
  return rule(function, "rv", &number) ? number : 0;
}

#define ALL UL a, UL b, UL c, UL d, UL e, UL f, UL g, UL h
#define HOOK(name, index)                            \
  static UL name(ALL) {                              \
    UL value = before(#name);                        \
    return value ? value : real->f[index](a, b, c, d, e, f, g, h); \
  }
HOOK(C_Initialize, 0)
HOOK(C_GetInfo, 2)
HOOK(C_GetSlotList, 4)
HOOK(C_GetSlotInfo, 5)
HOOK(C_OpenSession, 12)
HOOK(C_CloseSession, 13)
HOOK(C_CloseAllSessions, 14)
HOOK(C_GetSessionInfo, 15)
HOOK(C_Logout, 19)
HOOK(C_DestroyObject, 22)
HOOK(C_FindObjectsInit, 26)
HOOK(C_FindObjects, 27)
HOOK(C_FindObjectsFinal, 28)
HOOK(C_SignInit, 42)
HOOK(C_GenerateKeyPair, 59)
HOOK(C_GenerateRandom, 64)

static UL who = 1;

/* A token with a pad takes PINs from it alone: one that comes from the program is an error here. */
static UL typed_on_pad(const char *whose, char *pin, UL *place, UL *length) {
  UL number;
  if (!rule("pad", whose, &number)) return 0;
  if (*place) return 7;
  *length = (UL)sprintf(pin, "%lu", number);
  *place = (UL)pin;
  return 0;
}

static const char *whose(void) { return who ? "user" : "so"; }

static UL C_InitToken(ALL) {
  char pin[32];
  UL value = before("C_InitToken");
  if (!value) value = typed_on_pad("so", pin, &b, &c);
  return value ? value : real->f[9](a, b, c, d, e, f, g, h);
}

static UL C_InitPIN(ALL) {
  char pin[32];
  UL value = before("C_InitPIN");
  if (!value) value = typed_on_pad("user", pin, &b, &c);
  return value ? value : real->f[10](a, b, c, d, e, f, g, h);
}

static UL C_SetPIN(ALL) {
  char old[32], new[32];
  UL value = before("C_SetPIN");
  if (!value) value = typed_on_pad(whose(), old, &b, &c);
  if (!value) value = typed_on_pad(rule("pad", "new", NULL) ? "new" : whose(), new, &d, &e);
  return value ? value : real->f[11](a, b, c, d, e, f, g, h);
}

static UL C_Login(ALL) {
  char pin[32];
  UL value = before("C_Login");
  who = b;
  if (!value) value = typed_on_pad(whose(), pin, &c, &d);
  return value ? value : real->f[18](a, b, c, d, e, f, g, h);
}

static UL C_Sign(ALL) {
  UL number, value = before("C_Sign");
  if (!value) value = real->f[43](a, b, c, d, e, f, g, h);
  if (!value && d && rule("C_Sign", "short", &number)) *(UL *)e -= number;
  return value;
}

static UL C_GetTokenInfo(ALL) {
  UL number, value = before("C_GetTokenInfo");
  if (!value) value = real->f[6](a, b, c, d, e, f, g, h);
  if (!value && rule("C_GetTokenInfo", "flags", &number)) ((TokenInfo *)b)->flags |= number;
  if (!value && (rule("pad", "user", NULL) || rule("pad", "so", NULL))) ((TokenInfo *)b)->flags |= 0x100;
  if (!value && rule("C_GetTokenInfo", "serial", &number)) memset(((TokenInfo *)b)->serial, '0' + (int)number, 16);
  return value;
}

static UL C_GetMechanismList(ALL) {
  UL number, value = before("C_GetMechanismList");
  if (!value) value = real->f[7](a, b, c, d, e, f, g, h);
  if (!value && b && rule("C_GetMechanismList", "without", &number))
    for (UL i = 0; i < *(UL *)c; i++)
      if (((UL *)b)[i] == number) ((UL *)b)[i] = 0x220;
  return value;
}

static UL C_GetAttributeValue(ALL) {
  UL number, value = before("C_GetAttributeValue");
  if (!value) value = real->f[24](a, b, c, d, e, f, g, h);
  for (UL i = 0; !value && i < d; i++) {
    Attribute *attribute = (Attribute *)c + i;
    if (rule("C_GetAttributeValue", "fail", &number) && attribute->type == number) {
      attribute->length = (UL)-1;
      return 0x12;
    }
    if (attribute->value && rule("C_GetAttributeValue", "true", &number) && attribute->type == number) *(char *)attribute->value = 1;
    if (attribute->value && rule("C_GetAttributeValue", "false", &number) && attribute->type == number) *(char *)attribute->value = 0;
  }
  return value;
}

UL C_GetFunctionList(List **list) {
  if (!real) {
    void *target = dlopen(getenv("FAULT_TARGET"), RTLD_NOW | RTLD_LOCAL);
    UL (*get)(List **) = target ? (UL(*)(List **))dlsym(target, "C_GetFunctionList") : NULL;
    if (!get || get(&real)) return 5;
    mine = *real;
    mine.f[0] = C_Initialize;
    mine.f[2] = C_GetInfo;
    mine.f[4] = C_GetSlotList;
    mine.f[5] = C_GetSlotInfo;
    mine.f[6] = C_GetTokenInfo;
    mine.f[7] = C_GetMechanismList;
    mine.f[9] = C_InitToken;
    mine.f[10] = C_InitPIN;
    mine.f[11] = C_SetPIN;
    mine.f[12] = C_OpenSession;
    mine.f[13] = C_CloseSession;
    mine.f[14] = C_CloseAllSessions;
    mine.f[15] = C_GetSessionInfo;
    mine.f[18] = C_Login;
    mine.f[19] = C_Logout;
    mine.f[22] = C_DestroyObject;
    mine.f[24] = C_GetAttributeValue;
    mine.f[26] = C_FindObjectsInit;
    mine.f[27] = C_FindObjects;
    mine.f[28] = C_FindObjectsFinal;
    mine.f[42] = C_SignInit;
    mine.f[43] = C_Sign;
    mine.f[59] = C_GenerateKeyPair;
    mine.f[64] = C_GenerateRandom;
  }
  *list = &mine;
  return 0;
}
