using Cube.Identity.Api;
using Cube.Identity.Callers;
using Cube.Identity.Synchronization;
using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Cube.Identity.Pats;

using EmptyResult = Results<NoContent, JsonHttpResult<ManagementError>>;
using ViewResult = Results<Ok<PatView>, JsonHttpResult<ManagementError>>;

/// <summary>Endpoints for the caller's personal access tokens. They require a session: a personal access token cannot manage tokens.</summary>
internal static class PatApi
{
    private const int MaxName = 256;
    private const int MaxDescription = 1024;
    private static readonly TimeSpan MinLifetime = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan MaxLifetime = TimeSpan.FromDays(366);

    public static IEndpointRouteBuilder MapPats(this IEndpointRouteBuilder endpoints)
    {
        var pats = endpoints.MapGroup("/pats").RequireSynchronized().WithTags("Personal access tokens");
        pats.MapPost("/", Create);
        pats.MapGet("/", List);
        pats.MapDelete("/", DeleteAll);
        pats.MapGet("/{patId:guid}", Get);
        pats.MapDelete("/{patId:guid}", Delete);
        pats.MapPatch("/{patId:guid}/name", Rename);
        pats.MapPatch("/{patId:guid}/description", Describe);
        pats.MapPatch("/{patId:guid}/secret/reset", Reset);
        pats.MapPatch("/{patId:guid}/secret/revoke", Revoke);
        pats.MapScopes();
        return endpoints;
    }

    internal sealed record CreateRequest(string? Name, string? Description, string? Duration);

    internal sealed record NameRequest(string? Name);

    internal sealed record DescriptionRequest(string? Description);

    internal sealed record DurationRequest(string? Duration);

    internal sealed record PatPage(long Total, int Offset, int Limit, IEnumerable<PatView> Pats);

    private static async Task<Results<Created<PatView>, JsonHttpResult<ManagementError>>> Create(
        CreateRequest request, HttpResponse response, Caller caller, PatStore pats, TimeProvider time, CancellationToken ct)
    {
        var lifetime = GoDuration.Parse(request.Duration);
        if ((ValidateName(request.Name) ?? ValidateDescription(request.Description) ?? ValidateLifetime(lifetime)) is { } error)
        {
            return ApiResults.Invalid(error);
        }

        var (pat, secret) = await pats.AddAsync(request.Name!, request.Description ?? "", lifetime!.Value, caller, ct);
        response.Headers.CacheControl = "no-store";
        return TypedResults.Created($"/pats/{pat.Id}", pat.ToView(time.GetUtcNow(), secret));
    }

    private static async Task<Results<Ok<PatPage>, JsonHttpResult<ManagementError>>> List(
        [AsParameters] Paging paging, Guid? id, string? name, string? status, Caller caller, PatStore pats, TimeProvider time, CancellationToken ct)
    {
        if ((paging.Error ?? (status is null or "active" or "revoked" or "expired" ? null : "status must be active, revoked or expired.")) is { } error)
        {
            return ApiResults.Invalid(error);
        }

        var (total, page) = await pats.ListAsync(caller.UserId, id, name, status, paging, ct);
        return TypedResults.Ok(new PatPage(total, paging.From, paging.Count, page.Select(pat => pat.ToView(time.GetUtcNow()))));
    }

    private static async Task<Ok> DeleteAll(Caller caller, PatStore pats, CancellationToken ct)
    {
        await pats.DeleteAsync(null, caller, ct);
        return TypedResults.Ok();
    }

    private static async Task<ViewResult> Get(Guid patId, Caller caller, PatStore pats, TimeProvider time, CancellationToken ct) =>
        await pats.FindAsync(patId, caller.UserId, ct) is { } pat ? TypedResults.Ok(pat.ToView(time.GetUtcNow())) : NoSuchToken;

    private static async Task<EmptyResult> Delete(Guid patId, Caller caller, PatStore pats, CancellationToken ct) =>
        await pats.DeleteAsync(patId, caller, ct) > 0 ? TypedResults.NoContent() : NoSuchToken;

    private static async Task<Results<Accepted<PatView>, JsonHttpResult<ManagementError>>> Rename(
        Guid patId, NameRequest request, Caller caller, PatStore pats, TimeProvider time, CancellationToken ct) =>
        ValidateName(request.Name) is { } error ? ApiResults.Invalid(error)
        : await pats.RenameAsync(patId, request.Name!, caller, ct) is { } pat ? TypedResults.Accepted((string?)null, pat.ToView(time.GetUtcNow()))
        : NoSuchToken;

    private static async Task<Results<Accepted<PatView>, JsonHttpResult<ManagementError>>> Describe(
        Guid patId, DescriptionRequest request, Caller caller, PatStore pats, TimeProvider time, CancellationToken ct) =>
        ValidateDescription(request.Description) is { } error ? ApiResults.Invalid(error)
        : await pats.DescribeAsync(patId, request.Description ?? "", caller, ct) is { } pat ? TypedResults.Accepted((string?)null, pat.ToView(time.GetUtcNow()))
        : NoSuchToken;

    private static async Task<ViewResult> Reset(
        Guid patId, DurationRequest request, HttpResponse response, Caller caller, PatStore pats, TimeProvider time, CancellationToken ct)
    {
        var lifetime = GoDuration.Parse(request.Duration);
        if (ValidateLifetime(lifetime) is { } error)
        {
            return ApiResults.Invalid(error);
        }

        var (pat, secret) = await pats.ResetAsync(patId, lifetime!.Value, caller, ct);
        response.Headers.CacheControl = "no-store";
        return pat is null ? NoSuchToken : TypedResults.Ok(pat.ToView(time.GetUtcNow(), secret));
    }

    private static async Task<EmptyResult> Revoke(Guid patId, Caller caller, PatStore pats, CancellationToken ct) =>
        await pats.RevokeAsync(patId, caller, ct) is not null ? TypedResults.NoContent() : NoSuchToken;

    internal static JsonHttpResult<ManagementError> NoSuchToken { get; } = ApiResults.NotFound("You do not have this token.");

    private static string? ValidateName(string? name) =>
        string.IsNullOrWhiteSpace(name) || name.Length > MaxName ? $"name must have 1 to {MaxName} characters." : null;

    private static string? ValidateDescription(string? description) =>
        description is { Length: > MaxDescription } ? $"description must have at most {MaxDescription} characters." : null;

    private static string? ValidateLifetime(TimeSpan? lifetime) =>
        lifetime >= MinLifetime && lifetime <= MaxLifetime ? null : "duration must be between 1m and 8784h, for example 720h or 1h30m.";
}
