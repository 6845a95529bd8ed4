"""The same load and kills against stock Flask + RQ and Flask + Celery, each as its documentation advises."""
