/* material.h -- keys and certificates as people give them in JSON. */
#ifndef EIM_MATERIAL_H
#define EIM_MATERIAL_H

#include "base/arena.h"
#include "base/json.h"

/* material_read -- DER in base64, or PEM, to DER in the arena. What is in it is for the caller to check. False when it is neither, or the arena is full. */
bool material_read(const json_t *text, bool certificate, struct slice *der, struct arena *a);

#endif
