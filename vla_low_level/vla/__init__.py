"""The generalist: a flow-matching vision-language-action policy, trained here."""
