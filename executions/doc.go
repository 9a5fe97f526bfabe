// Package executions is what the outside sees of the executions of strategies: their
// numbers, which only go up and lead to jobs (Numbers), and the document that clients
// ask for and receivers of callbacks get (Document).
//
// An execution is a job of type tasks.Strategy. Who accepts it, who executes it and who
// tells others of it each know one side; what must be the same for all stands here.
//
// All of it is safe for concurrent use.
package executions
