from migrations import main

main()
