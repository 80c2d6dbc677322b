#!/bin/sh
# Every public header compiles alone, in C11 and in C++11, without a warning.
set -u
failed=0
for header in include/conduit/*.h; do
    for language in c:c11 c++:c++11; do
        echo "#include <conduit/${header##*/}>" |
            ${CC:-gcc} -x "${language%:*}" -std="${language#*:}" -pedantic-errors -Wall -Wextra -Werror -Iinclude \
                -fsyntax-only - || { echo "$header as ${language#*:}: see above"; failed=1; }
    done
done
exit $failed
