using System.Text.Json;
using Cube.Identity.Authentication;
using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;

namespace Cube.Identity.Users;

internal static class UserApi
{
    public static IEndpointRouteBuilder MapUsers(this IEndpointRouteBuilder endpoints)
    {
        var users = endpoints.MapGroup("/users");
        users.MapPost("/", Create).AllowAnonymous();
        users.MapGet("/profile", Profile);
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

    /// <summary>An administrator makes verified accounts of any role. Anybody else, where self-registration is on, an unverified one of a plain user.</summary>
    private static async Task<Results<Created<UserView>, JsonHttpResult<ManagementError>>> Create(
        CreateRequest request, HttpContext context, Caller? caller, UserStore users, Passwords passwords,
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
        return await users.AddAsync(user, ct)
            ? TypedResults.Created($"/users/{user.Id}", user.ToView())
            : Requests.Conflict("The e-mail address or the user name is taken.");
    }

    private static async Task<Results<Ok<UserView>, JsonHttpResult<ManagementError>>> Profile(Caller caller, UserStore users, CancellationToken ct) =>
        await users.FindAsync(caller.UserId, ct) is { } user
            ? TypedResults.Ok(user.ToView())
            : Requests.Fail(StatusCodes.Status404NotFound, "not_found", "There is no such user.");
}
