namespace Cube.Authorization.Relationships;

/// <summary>
/// The operations that Cube uses of SpiceDB or of the embedded engine. Every read is fully consistent: it sees every write that was
/// answered before it.
/// </summary>
internal interface IAuthorizationEngine
{
    /// <summary>The name in logs: <c>spicedb</c> or <c>embedded</c>.</summary>
    string Name { get; }

    /// <returns>Null when no schema has been written.</returns>
    /// <exception cref="ServiceDefaults.Errors.UnavailableException">The engine does not answer, or answers with an error.</exception>
    Task<string?> ReadSchemaAsync(CancellationToken ct);

    /// <inheritdoc cref="ReadSchemaAsync" path="/exception"/>
    Task WriteSchemaAsync(string schema, CancellationToken ct);

    /// <summary>Writes all updates in one transaction.</summary>
    /// <inheritdoc cref="ReadSchemaAsync" path="/exception"/>
    Task WriteAsync(IReadOnlyCollection<RelationshipUpdate> updates, CancellationToken ct);

    /// <inheritdoc cref="ReadSchemaAsync" path="/exception"/>
    IAsyncEnumerable<Relationship> ReadAsync(RelationshipFilter filter, CancellationToken ct);

    /// <returns>One result for each check, in the same order.</returns>
    /// <inheritdoc cref="ReadSchemaAsync" path="/exception"/>
    Task<bool[]> CheckAsync(IReadOnlyList<PermissionCheck> checks, CancellationToken ct);
}
