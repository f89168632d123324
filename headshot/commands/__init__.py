"""The command line: one module for each command, and `parser.py`, which reads the arguments.

parser.py         options and arguments, exit status, errors as sentences
page.py           `headshot page`; app.py calls it too
shoot.py          `headshot shoot`, with files.py, which writes the headshots, and progress_bar.py
check.py          `headshot check`
looks.py          `headshot looks`, and a preset by its name
download.py       `headshot download`
data_folder.py    whether the data folder can be written to
console.py        lines, sentences and JSON for the person or the program that called
"""
