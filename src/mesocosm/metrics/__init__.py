"""What is reported of every epoch: one file a family of metrics, each a function of an epoch's totals."""
