"""The stages of the expressions study: seven classes on merged corpora."""
