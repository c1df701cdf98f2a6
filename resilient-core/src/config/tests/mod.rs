mod documentation;
mod environment;
mod sections;
