#include "CDigits.h"

// #embed is C23; clang takes it in older modes as an extension, with a warning that says only that.
#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char train_images[] = {
#embed "digits/train-images-idx3-ubyte"
};
static const unsigned char train_labels[] = {
#embed "digits/train-labels-idx1-ubyte"
};
static const unsigned char test_images[] = {
#embed "digits/t10k-images-idx3-ubyte"
};
static const unsigned char test_labels[] = {
#embed "digits/t10k-labels-idx1-ubyte"
};

const unsigned char *tessera_digits_train_images(void) { return train_images; }
size_t tessera_digits_train_images_size(void) { return sizeof train_images; }

const unsigned char *tessera_digits_train_labels(void) { return train_labels; }
size_t tessera_digits_train_labels_size(void) { return sizeof train_labels; }

const unsigned char *tessera_digits_test_images(void) { return test_images; }
size_t tessera_digits_test_images_size(void) { return sizeof test_images; }

const unsigned char *tessera_digits_test_labels(void) { return test_labels; }
size_t tessera_digits_test_labels_size(void) { return sizeof test_labels; }
