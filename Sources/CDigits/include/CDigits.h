#ifndef TESSERA_CDIGITS_H
#define TESSERA_CDIGITS_H

#include <stddef.h>

/// The 8x8 digits as IDX files embedded in the binary. Each pair of functions gives a file's first byte and its size in
/// bytes; the memory is constant and lives as long as the process. Source and licence: LICENSE.md.

const unsigned char *tessera_digits_train_images(void);
size_t tessera_digits_train_images_size(void);

const unsigned char *tessera_digits_train_labels(void);
size_t tessera_digits_train_labels_size(void);

const unsigned char *tessera_digits_test_images(void);
size_t tessera_digits_test_images_size(void);

const unsigned char *tessera_digits_test_labels(void);
size_t tessera_digits_test_labels_size(void);

#endif
