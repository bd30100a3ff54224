/* openapi.h: schemas/openapi.yaml, in the program. */
#ifndef MARCH_MATCHMAKER_OPENAPI_H
#define MARCH_MATCHMAKER_OPENAPI_H

extern const char OPENAPI_YAML[];

#endif
