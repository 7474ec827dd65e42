enum FactordServerModule {}
