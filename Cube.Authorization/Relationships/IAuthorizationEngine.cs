namespace Cube.Authorization.Relationships;

/// <summary>
/// What Cube asks of SpiceDB, or of the embedded engine in its place. Every answer is of the present: nothing that was written
/// before a question is overlooked.
/// </summary>
internal interface IAuthorizationEngine
{
    /// <summary>How it is called in health, logs and start messages: <c>spicedb</c> or <c>embedded</c>.</summary>
    string Name { get; }

    /// <returns>Null where none was written yet.</returns>
    /// <exception cref="ServiceDefaults.Errors.UnavailableException">It does not answer, or not as it should.</exception>
    Task<string?> ReadSchemaAsync(CancellationToken ct);

    /// <inheritdoc cref="ReadSchemaAsync" path="/exception"/>
    Task WriteSchemaAsync(string schema, CancellationToken ct);

    /// <summary>All of them or none.</summary>
    /// <inheritdoc cref="ReadSchemaAsync" path="/exception"/>
    Task WriteAsync(IReadOnlyCollection<RelationshipUpdate> updates, CancellationToken ct);

    /// <inheritdoc cref="ReadSchemaAsync" path="/exception"/>
    IAsyncEnumerable<Relationship> ReadAsync(RelationshipFilter filter, CancellationToken ct);

    /// <returns>One answer for each question, in their order.</returns>
    /// <inheritdoc cref="ReadSchemaAsync" path="/exception"/>
    Task<bool[]> CheckAsync(IReadOnlyList<Question> questions, CancellationToken ct);
}
