"""The same load and kills on stock Flask + RQ and Flask + Celery, each set up as its documentation advises."""
