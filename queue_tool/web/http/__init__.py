"""What every route needs: who is let in, bodies, queries, answers and problems."""
