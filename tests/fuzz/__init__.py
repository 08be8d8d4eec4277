"""The fuzz campaign: mutated inputs for everything that reads a file, and what must hold of each of them.

``python -m fuzz`` in the folder ``tests`` runs it (``make fuzz``). The rooms, each importing only those before it:

- `contract`: what a target is, and what must hold of one input;
- `files`: inputs on a disk;
- `drawing`, `mutations`, `trees`, `pickles`: how inputs are made and damaged;
- `targets`: one module a kind of input, its strategies and the call;
- `worker`: a process that runs inputs under limits;
- `runner`: the workers, their watchdog, and what is kept of a finding;
- `report`: the table, and how to repeat a finding alone.
"""
