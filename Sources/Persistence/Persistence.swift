enum PersistenceModule {}
