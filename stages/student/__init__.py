"""Student: the small encoder that learns from the teacher."""
