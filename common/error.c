#include "common/error.h"

const char *march_error_text(int error) {
    switch ((enum march_error)error) {
    case MARCH_OK: return "no error";
    case MARCH_ERR_INVALID: return "invalid";
    case MARCH_ERR_FULL: return "full";
    case MARCH_ERR_EMPTY: return "empty";
    case MARCH_ERR_CRYPTO: return "authentication failed";
    case MARCH_ERR_REPLAY: return "replayed";
    case MARCH_ERR_EXPIRED: return "expired";
    case MARCH_ERR_NOT_FOUND: return "not found";
    case MARCH_ERR_EXISTS: return "exists already";
    case MARCH_ERR_SYSTEM: return "system error";
    case MARCH_ERR_UNSUPPORTED: return "not supported on this machine";
    case MARCH_ERR_UNAVAILABLE: return "unavailable";
    case MARCH_ERR_CONFLICT: return "conflict";
    case MARCH_ERR_FENCED: return "fenced";
    }
    return "unknown error";
}
