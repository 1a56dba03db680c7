"""The commands of `usage`: they check the options, call the room that does the work, and print the result.

One file per command, plus what several commands share: parser, options, outcome, erasing, schedule, signals, progress.
`app` lists the commands and calls one of them; `service.commands` adds those that need the API's answers.
"""
