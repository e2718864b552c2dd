"""The log followed from outside: one event in the forms it is told in, and the streams that tell each as it comes."""
