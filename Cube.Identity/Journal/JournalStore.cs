using System.Text.Json;
using Cube.Identity.Api;
using Dapper;
using Npgsql;

namespace Cube.Identity.Journal;

/// <summary>The query parameters of a list of events. Times are RFC 3339; <c>from</c> is inclusive, <c>to</c> is exclusive.</summary>
internal sealed record JournalQuery(
    int? Offset, int? Limit, string? Operation, string? EntityType, string? EntityId, DateTimeOffset? From, DateTimeOffset? To, string? Dir)
{
    public Paging Paging => new(Offset, Limit);

    public string? Error => Paging.Error ?? (Dir is null or "asc" or "desc" ? null : "dir must be asc or desc.");
}

/// <summary>Reads the table <c>events</c>, which triggers fill.</summary>
internal sealed class JournalStore(NpgsqlDataSource database)
{
    /// <param name="scope">A SQL condition with the parameter <c>@Scope</c>; never client input.</param>
    /// <param name="id">The value of <c>@Scope</c>.</param>
    /// <param name="query">The filter and the requested part of the list.</param>
    /// <param name="ct">Cancels the query.</param>
    public async Task<(long Total, IEnumerable<JournalApi.EventView> Events)> ListAsync(string scope, Guid? id, JournalQuery query, CancellationToken ct)
    {
        var where =
            $"""
            {scope} and (@Operation is null or operation = @Operation) and (@EntityType is null or entity_type = @EntityType)
            and (@EntityId is null or entity_id = @EntityId)
            and (@From::timestamptz is null or occurred_at >= @From::timestamptz) and (@To::timestamptz is null or occurred_at < @To::timestamptz)
            """;
        var arguments = new
        {
            Scope = id, query.Operation, query.EntityType, query.EntityId, From = query.From?.ToUniversalTime(), To = query.To?.ToUniversalTime(),
            Offset = query.Paging.From, Limit = query.Paging.Count,
        };
        await using var connection = await database.OpenConnectionAsync(ct);
        var total = await connection.QuerySingleAsync<long>(new CommandDefinition($"select count(*) from events where {where}", arguments, cancellationToken: ct));
        var rows = await connection.QueryAsync<Row>(new CommandDefinition(
            $"""
            select id, occurred_at, operation, actor_id, token_id, trace_id, entity_type, entity_id, domain_id, before::text, after::text
            from events where {where} order by occurred_at {query.Dir ?? "desc"}, id offset @Offset limit @Limit
            """,
            arguments,
            cancellationToken: ct));
        return (total, rows.Select(static row => row.ToView()));
    }

    private sealed class Row
    {
        public Guid Id { get; init; }
        public DateTime OccurredAt { get; init; }
        public string Operation { get; init; } = "";
        public Guid? ActorId { get; init; }
        public Guid? TokenId { get; init; }
        public string? TraceId { get; init; }
        public string EntityType { get; init; } = "";
        public string EntityId { get; init; } = "";
        public Guid? DomainId { get; init; }
        public string? Before { get; init; }
        public string? After { get; init; }

        public JournalApi.EventView ToView() => new(
            Id, OccurredAt, Operation, ActorId, TokenId, TraceId, EntityType, EntityId, DomainId,
            Before is null ? null : JsonElement.Parse(Before), After is null ? null : JsonElement.Parse(After));
    }
}
