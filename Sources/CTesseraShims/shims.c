// The shims are header-only; a target needs one source.
#include "CTesseraShims.h"
