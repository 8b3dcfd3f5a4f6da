"""`python -m talker.rigs.build_head`."""

from talker.rigs.build_head.build import main

main()
