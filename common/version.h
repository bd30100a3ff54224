/* version.h: the version every program reports. */
#ifndef MARCH_COMMON_VERSION_H
#define MARCH_COMMON_VERSION_H

#define MARCH_VERSION "0.1.0"

#endif
