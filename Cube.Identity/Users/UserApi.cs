using System.Text.Json;
using Cube.Identity.Authentication;
using Cube.Identity.Mail;
using Cube.Identity.Relations;
using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;

namespace Cube.Identity.Users;

using Nothing = Results<NoContent, JsonHttpResult<ManagementError>>;
using Shown = Results<Ok<UserView>, JsonHttpResult<ManagementError>>;

internal static class UserApi
{
    private const int MinSearch = 3;

    public static IEndpointRouteBuilder MapUsers(this IEndpointRouteBuilder endpoints)
    {
        var users = endpoints.MapGroup("/users").InForceWhenAnswered().WithTags("Users");
        users.MapPost("/", Create).AllowAnonymous().QueuesForPasswords();
        users.MapGet("/", List);
        users.MapGet("/search", Search);
        users.MapGet("/profile", Profile);
        users.MapGet("/{userId:guid}", Get);
        users.MapDelete("/{userId:guid}", Delete);
        users.MapPost("/{userId:guid}/enable", Enable);
        users.MapPost("/{userId:guid}/disable", Disable);
        users.MapUserChanges();
        return endpoints;
    }

    internal sealed record CredentialsRequest(string? Username, string? Secret);

    internal sealed record CreateRequest(
        string? FirstName,
        string? LastName,
        string? Email,
        CredentialsRequest? Credentials,
        string[]? Tags,
        JsonElement? Metadata,
        JsonElement? PrivateMetadata,
        string? Status,
        string? Role,
        string? ProfilePicture);

    internal sealed record UserPage(long Total, int Offset, int Limit, IEnumerable<UserView> Users);

    internal sealed record ReducedPage(long Total, int Offset, int Limit, IEnumerable<ReducedUserView> Users);

    /// <summary>An administrator makes verified accounts of any role. Anybody else, where self-registration is on, an unverified one of a plain user.</summary>
    private static async Task<Results<Created<UserView>, JsonHttpResult<ManagementError>>> Create(
        CreateRequest request, HttpContext context, Caller? caller, UserStore users, Passwords passwords, MailQueue mails,
        IOptions<IdentityOptions> options, TimeProvider time, CancellationToken ct)
    {
        var byAdministrator = caller is { IsAdministrator: true };
        if (!byAdministrator && !options.Value.SelfRegistration)
        {
            if (caller is not null)
            {
                return Requests.Forbidden;
            }

            context.Response.Headers.WWWAuthenticate = "Bearer";
            return TypedResults.Json(ManagementError.Of(StatusCodes.Status401Unauthorized), statusCode: StatusCodes.Status401Unauthorized);
        }

        if (UserRules.FaultOf(request) is { } fault)
        {
            return Requests.Invalid(fault);
        }

        if (!byAdministrator && (request.Role is "admin" || request.Status is not (null or "enabled")))
        {
            return Requests.Forbidden;
        }

        var now = time.GetUtcNow().UtcDateTime;
        var user = new User
        {
            Id = Guid.CreateVersion7(),
            FirstName = request.FirstName!,
            LastName = request.LastName!,
            Email = request.Email!,
            Username = request.Credentials!.Username!,
            PasswordHash = passwords.Hash(request.Credentials.Secret!),
            Tags = request.Tags ?? [],
            Metadata = Requests.JsonOf(request.Metadata),
            PrivateMetadata = Requests.JsonOf(request.PrivateMetadata),
            Status = request.Status ?? "enabled",
            Role = request.Role ?? "user",
            ProfilePicture = request.ProfilePicture ?? "",
            CreatedAt = now,
            UpdatedAt = now,
            UpdatedBy = caller?.UserId,
            VerifiedAt = byAdministrator ? now : null,
        };
        if (!await users.AddAsync(user, caller?.UserId ?? user.Id, ct))
        {
            return Requests.Conflict("The e-mail address or the user name is taken.");
        }

        if (!byAdministrator)
        {
            mails.Post(new MailOrder.Verify(user.Email));
        }

        return TypedResults.Created($"/users/{user.Id}", user.ToView());
    }

    private static async Task<Results<Ok<UserPage>, JsonHttpResult<ManagementError>>> List(
        [AsParameters] UserQuery query, Caller caller, UserStore users, CancellationToken ct)
    {
        if (!caller.IsAdministrator)
        {
            return Requests.Forbidden;
        }

        var (filter, fault) = UserFilter.Parse(query);
        if (filter is null)
        {
            return Requests.Invalid(fault!);
        }

        var (total, page) = await users.ListAsync(filter, ct);
        return TypedResults.Ok(new UserPage(total, filter.From, filter.Count, page.Select(static user => user.ToView())));
    }

    /// <summary>Finds people to invite, by what they are called. Addresses are neither searched nor shown.</summary>
    private static async Task<Results<Ok<ReducedPage>, JsonHttpResult<ManagementError>>> Search(
        [AsParameters] Paging paging, string? username, string? firstName, string? lastName, string? id, Caller caller, UserStore users, CancellationToken ct)
    {
        Guid? wanted = Guid.TryParse(id, out var parsed) ? parsed : null;
        var fault = paging.Fault
            ?? ((username ?? firstName ?? lastName ?? id) is null ? "One of username, first_name, last_name or id is needed." : null)
            ?? ((username ?? firstName ?? lastName) is { Length: < MinSearch } ? $"What is searched for must have {MinSearch} characters." : null)
            ?? (id is not null && wanted is null ? "id must be the id of a user." : null);
        if (fault is not null)
        {
            return Requests.Invalid(fault);
        }

        var (total, page) = await users.ListAsync(
            new UserFilter(paging.From, paging.Count, "enabled", "username", "asc") { Username = username, FirstName = firstName, LastName = lastName, Id = wanted }, ct);
        return TypedResults.Ok(new ReducedPage(total, paging.From, paging.Count, page.Select(user => user.ToReducedView(caller))));
    }

    private static async Task<Shown> Profile(Caller caller, UserStore users, CancellationToken ct) =>
        await users.FindAsync(caller.UserId, ct) is { } user ? TypedResults.Ok(user.ToView()) : NoSuchUser;

    /// <summary>All of oneself, and for administrators of anybody; of others what they are called.</summary>
    private static async Task<Results<Ok<UserView>, Ok<ReducedUserView>, JsonHttpResult<ManagementError>>> Get(
        Guid userId, Caller caller, UserStore users, CancellationToken ct) =>
        await users.FindAsync(userId, ct) is not { } user ? NoSuchUser
        : caller.IsAdministrator || caller.UserId == userId ? TypedResults.Ok(user.ToView())
        : TypedResults.Ok(user.ToReducedView(caller));

    private static Task<Shown> Enable(Guid userId, Caller caller, UserStanding standing, UserStore users, CancellationToken ct) =>
        ChangeAsync(userId, caller, users, () => standing.EnableAsync(userId, caller, ct), ct);

    private static Task<Shown> Disable(Guid userId, Caller caller, UserStanding standing, UserStore users, CancellationToken ct) =>
        ChangeAsync(userId, caller, users, () => standing.DisableAsync(userId, caller, ct), ct);

    private static async Task<Nothing> Delete(Guid userId, Caller caller, UserStanding standing, CancellationToken ct) =>
        !caller.IsAdministrator ? Requests.Forbidden
        : await standing.DeleteAsync(userId, caller, ct) is var change && change == UserChange.Done ? TypedResults.NoContent()
        : Refusal(change);

    internal static async Task<Shown> ChangeAsync(
        Guid id, Caller caller, UserStore users, Func<Task<UserChange>> change, CancellationToken ct, string? fault = null)
    {
        if (!caller.IsAdministrator)
        {
            return Requests.Forbidden;
        }

        if (fault is not null)
        {
            return Requests.Invalid(fault);
        }

        var result = await change();
        return result != UserChange.Done ? Refusal(result) : await users.FindAsync(id, ct) is { } user ? TypedResults.Ok(user.ToView()) : NoSuchUser;
    }

    internal static JsonHttpResult<ManagementError> NoSuchUser { get; } = Requests.NotFound("There is no such user.");

    internal static JsonHttpResult<ManagementError> Refusal(UserChange change) => change switch
    {
        UserChange.Unknown => NoSuchUser,
        UserChange.Taken => Requests.Conflict("The e-mail address or the user name is taken."),
        UserChange.AlreadySo => Requests.Refused("status_already_assigned", "The user is so already."),
        UserChange.LastAdministrator => Requests.Refused("last_administrator", "The platform keeps at least one enabled administrator."),
        _ => throw new InvalidOperationException($"{change} is no refusal."),
    };
}
