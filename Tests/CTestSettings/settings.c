#include <stdlib.h>

// Tests run small problems to see what many workers do. Before main, since the runtime reads it once; a value from outside stays.
__attribute__((constructor)) static void share_small_runs(void) { setenv("TESSERA_SMALL_RUNS", "shared", 0); }
