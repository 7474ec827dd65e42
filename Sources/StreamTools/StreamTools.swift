enum StreamToolsModule {}
