enum ZeroMQModule {}
