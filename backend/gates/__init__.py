"""Gates: the rules of a run applied live, their flips kept, their actions carried out."""
