using System.Text.Json;
using System.Text.Json.Serialization;
using Cube.Identity.Api;
using Cube.Identity.Callers;
using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Cube.Identity.Journal;

using PageResult = Results<Ok<JournalApi.JournalPage>, JsonHttpResult<ManagementError>>;

/// <summary>
/// Endpoints for the administrative journal: actor, entity, and state before and after each change. Callers with <c>audit_log_read</c> read the
/// events of a domain, a user and the administrators of the platform read the events of an account, and the latter read those of the platform.
/// </summary>
internal static class JournalApi
{
    public static IEndpointRouteBuilder MapJournal(this IEndpointRouteBuilder endpoints)
    {
        endpoints.MapGet("/domains/{id:guid}/journal", OfDomain).RequireAction("audit_log_read").WithTags("Journal");
        endpoints.MapGet("/journal", OfPlatform).WithTags("Journal");
        endpoints.MapGet("/journal/user/{userId:guid}", OfUser).WithTags("Journal");
        return endpoints;
    }

    /// <param name="ActorId">The acting user; absent for a change that Cube made.</param>
    /// <param name="TokenId">The personal access token of the request; absent for a session.</param>
    internal sealed record EventView(
        Guid Id,
        DateTime OccurredAt,
        string Operation,
        [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] Guid? ActorId,
        [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] Guid? TokenId,
        [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? TraceId,
        string EntityType,
        string EntityId,
        [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] Guid? Domain,
        [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] JsonElement? Before,
        [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] JsonElement? After);

    internal sealed record JournalPage(long Total, int Offset, int Limit, IEnumerable<EventView> Journals);

    private static Task<PageResult> OfDomain(Guid id, [AsParameters] JournalQuery query, JournalStore journal, CancellationToken ct) =>
        ListAsync("domain_id = @Scope::uuid", id, query, journal, ct);

    private static async Task<PageResult> OfUser(Guid userId, [AsParameters] JournalQuery query, Caller caller, JournalStore journal, CancellationToken ct) =>
        caller.IsAdministrator || caller.UserId == userId
            ? await ListAsync("user_id = @Scope::uuid and domain_id is null", userId, query, journal, ct)
            : ApiResults.Forbidden;

    /// <summary>Lists events of accounts and status changes of domains, but no events inside a domain.</summary>
    private static async Task<PageResult> OfPlatform([AsParameters] JournalQuery query, Caller caller, JournalStore journal, CancellationToken ct) =>
        caller.IsAdministrator
            ? await ListAsync("(domain_id is null or entity_type = 'domain') and @Scope::uuid is null", null, query, journal, ct)
            : ApiResults.Forbidden;

    private static async Task<PageResult> ListAsync(string scope, Guid? id, JournalQuery query, JournalStore journal, CancellationToken ct)
    {
        if (query.Error is { } error)
        {
            return ApiResults.Invalid(error);
        }

        var (total, events) = await journal.ListAsync(scope, id, query, ct);
        return TypedResults.Ok(new JournalPage(total, query.Paging.From, query.Paging.Count, events));
    }
}
