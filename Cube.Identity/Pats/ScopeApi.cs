using Cube.Authorization;
using Cube.Identity.Api;
using Cube.Identity.Callers;
using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Cube.Identity.Pats;

using PageResult = Results<Ok<ScopeApi.ScopePage>, JsonHttpResult<ManagementError>>;

/// <summary>
/// Endpoints for the scopes of a personal access token: operations on models of a domain or on the domain; <c>*</c> means all. A token without
/// scopes has no permissions, and no token has more permissions than its owner.
/// </summary>
internal static class ScopeApi
{
    private const string Models = "models";
    private const string Domains = "domains";
    private const string Any = "*";
    private const int MaxModel = 256;

    public static void MapScopes(this IEndpointRouteBuilder pats)
    {
        pats.MapPatch("/{patId:guid}/scope/add", Add);
        pats.MapGet("/{patId:guid}/scope", List);
        pats.MapPatch("/{patId:guid}/scope/remove", Remove);
        pats.MapDelete("/{patId:guid}/scope", Clear);
    }

    internal sealed record ScopeRequest(Guid? DomainId, string? EntityType, string? EntityId, string? Operation);

    internal sealed record AddRequest(ScopeRequest[]? Scopes);

    internal sealed record RemoveRequest(Guid[]? ScopesId);

    internal sealed record ScopePage(long Total, int Offset, int Limit, IEnumerable<PatScope> Scopes);

    private static async Task<PageResult> Add(Guid patId, AddRequest request, Caller caller, ScopeStore scopes, CancellationToken ct)
    {
        if (request.Scopes is not { Length: >= 1 and <= ScopeStore.Max } wanted)
        {
            return ApiResults.Invalid($"scopes must have 1 to {ScopeStore.Max} elements.");
        }

        if (wanted.Select(Validate).FirstOrDefault(static error => error is not null) is { } error)
        {
            return ApiResults.Invalid(error);
        }

        PatScope[] made =
        [
            .. wanted.Select(scope => new PatScope(
                Guid.CreateVersion7(), patId, scope.DomainId!.Value, scope.EntityType!,
                scope.EntityType == Domains ? scope.DomainId.Value.ToString() : scope.EntityId!, scope.Operation!)),
        ];
        return await scopes.AddAsync(patId, made, caller, ct) switch
        {
            ScopeChange.Done => await ListAsync(patId, new Paging(0, Paging.Max), caller, scopes, ct),
            ScopeChange.Duplicate => ApiResults.Conflict("The token already has one of these scopes."),
            ScopeChange.ForeignDomain => ApiResults.Forbidden,
            ScopeChange.TooMany => ApiResults.Unprocessable("too_many_scopes", $"A token can have at most {ScopeStore.Max} scopes."),
            _ => PatApi.NoSuchToken,
        };
    }

    private static async Task<PageResult> List(Guid patId, [AsParameters] Paging paging, Caller caller, ScopeStore scopes, CancellationToken ct) =>
        paging.Error is { } error ? ApiResults.Invalid(error) : await ListAsync(patId, paging, caller, scopes, ct);

    private static async Task<PageResult> ListAsync(Guid patId, Paging paging, Caller caller, ScopeStore scopes, CancellationToken ct) =>
        await scopes.ListAsync(patId, paging, caller, ct) is var (total, page)
            ? TypedResults.Ok(new ScopePage(total, paging.From, paging.Count, page))
            : PatApi.NoSuchToken;

    private static async Task<Results<Ok, JsonHttpResult<ManagementError>>> Remove(
        Guid patId, RemoveRequest request, Caller caller, ScopeStore scopes, CancellationToken ct)
    {
        if (request.ScopesId is not { Length: >= 1 and <= ScopeStore.Max } ids)
        {
            return ApiResults.Invalid($"scopes_id must have 1 to {ScopeStore.Max} scope ids.");
        }

        return await scopes.RemoveAsync(patId, ids, caller, ct) switch
        {
            null => PatApi.NoSuchToken,
            0 => ApiResults.NotFound("The token does not have this scope."),
            _ => TypedResults.Ok(),
        };
    }

    private static async Task<Results<Ok, JsonHttpResult<ManagementError>>> Clear(Guid patId, Caller caller, ScopeStore scopes, CancellationToken ct) =>
        await scopes.RemoveAsync(patId, null, caller, ct) is null ? PatApi.NoSuchToken : TypedResults.Ok();

    private static string? Validate(ScopeRequest? scope) => scope switch
    {
        null => "Each scope must be an object.",
        { DomainId: null } => "domain_id is required.",
        { EntityType: not (Models or Domains) } => "entity_type must be models or domains.",
        { Operation: null } => "operation is required.",
        { EntityType: Models, EntityId: not { Length: > 0 and <= MaxModel } } => "entity_id must be a model id or \"*\".",
        { EntityType: Models, Operation: not Any } when !CubeSchema.IsModelAction(scope.Operation) || !CubeSchema.KnownActions.Contains(scope.Operation) =>
            "With entity_type models, operation must be an llm_ action or \"*\".",
        { EntityType: Domains } when scope.EntityId is not Any && scope.EntityId != scope.DomainId.ToString() => "entity_id must be the domain_id or \"*\".",
        { EntityType: Domains, Operation: not Any } when CubeSchema.IsModelAction(scope.Operation) || !CubeSchema.KnownActions.Contains(scope.Operation) =>
            "With entity_type domains, operation must be an action that does not begin with llm_, or \"*\".",
        _ => null,
    };
}
