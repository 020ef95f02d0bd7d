"""What only the course needs: the checks of its exercises, a look at what is installed, its trainings."""
