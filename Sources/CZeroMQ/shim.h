/* Debian's zmq.pc carries flags that the package manager refuses, so the library is named in the module map. */
#include <zmq.h>
